// Starts one guarded child, prints its process number, copies its stdout, and stays until somebody ends it.
import { childEnv } from './child-env.ts';
import { spawnGuarded } from './guarded-child.ts';

const [command = '', ...args] = process.argv.slice(2);
const child = spawnGuarded({ command, args, env: childEnv({}) });
process.stdout.write(`child ${child.pid}\n`);
child.stdout.pipe(process.stdout);
child.stderr.pipe(process.stderr);
setInterval(() => {}, 60_000);
