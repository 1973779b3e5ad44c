// Finds test files and hands them to node's own runner: `node test/run.mjs unit e2e …`. Node 20's runner takes no glob patterns.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const reporter = fileURLToPath(new URL('helpers/failed-files.mjs', import.meta.url));

/** A file that takes longer hangs: it waits for what will not come, or a failed test left a connection open. */
const longestMs = 10 * 60_000;

/** When more fail than this, it is not the machine. */
const mostToRunAgain = 6;

/** Tests of gateways wait more than they compute, so that two files at once cost none of them time; more would, on two cores. */
const atOnce = Math.max(2, Math.min(4, Math.floor(availableParallelism() / 2)));

/**
 * Folders of each suite, and how many files run at once: one where faults are caused and times are measured.
 * `together`: so many files share a process, since most of the time of a small one is the loading of the product.
 */
const suites = {
  unit: { folders: ['shared', 'services', 'test/properties'], concurrency: atOnce, together: 8 },
  structure: { folders: ['test'], deep: false, concurrency: atOnce },
  deploy: { folders: ['test/deploy', 'test/bench'], concurrency: 1 },
  integration: { folders: ['test/integration'], concurrency: 1 },
  security: { folders: ['test/security'], concurrency: atOnce },
  e2e: { folders: ['test/e2e', 'test/helpers', 'test/fixtures'], concurrency: atOnce },
  conformance: { folders: ['test/conformance'], concurrency: atOnce },
  chaos: { folders: ['test/chaos'], concurrency: 1 },
};

function testsIn(folder, deep) {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return deep ? testsIn(file, deep) : [];
    return entry.name.endsWith('.test.ts') ? [file] : [];
  });
}

/** Hooks outside a `describe` are those of all tests of a process: a file that has any gets one for itself. */
function hasHooks(file) {
  return /^(before|after|beforeEach|afterEach)\(/m.test(readFileSync(file, 'utf8'));
}

/** Writes modules that import `size` files each. Neighbours share more than strangers, so the order is kept. */
function gather(files, size, folder) {
  const alone = files.filter(hasHooks);
  const shared = files.filter((file) => !alone.includes(file));
  const modules = [];
  for (let at = 0; at < shared.length; at += size) {
    const imports = shared.slice(at, at + size).map((file) => `import ${JSON.stringify(pathToFileURL(file).href)};\n`);
    const module = path.join(folder, `${modules.length}.test.mjs`);
    writeFileSync(module, imports.join(''));
    modules.push(module);
  }
  return [...modules, ...alone];
}

/** Runs files, and gives those of them that failed; their names go through a file, which the second reporter writes. */
async function run(files, concurrency, folder) {
  const failures = path.join(folder, 'failures');
  const args = ['--import', 'tsx', '--test', `--test-concurrency=${concurrency}`, `--test-timeout=${longestMs}`];
  args.push('--test-reporter=spec', '--test-reporter-destination=stdout');
  args.push(`--test-reporter=${pathToFileURL(reporter)}`, `--test-reporter-destination=${failures}`);
  const child = spawn(process.execPath, [...args, ...files], { stdio: 'inherit' });
  const passed = await new Promise((resolve) => child.on('exit', (code) => resolve(code === 0)));
  if (passed) return [];
  const failed = new Set(readFileSync(failures, 'utf8').split('\n').filter(Boolean));
  // A runner that ended otherwise says nothing of any file.
  return failed.size > 0 ? [...failed] : files;
}

/**
 * Runs a suite. What fails runs once more, alone: a machine that stands still for seconds, as shared ones do, breaks tests
 * of deadlines and rates. Which files passed only then is said at the end.
 */
async function runSuite({ folders, deep = true, concurrency, together = 1 }, name) {
  const files = folders.flatMap((folder) => testsIn(folder, deep)).sort();
  console.log(`\n# ${name}: ${files.length} files`);
  if (files.length === 0) return true;
  const folder = mkdtempSync(path.join(tmpdir(), 'toolbus-tests-'));
  try {
    const failed = await run(together > 1 ? gather(files, together, folder) : files, concurrency, folder);
    if (failed.length === 0) return true;
    if (stopped || failed.length > mostToRunAgain) return false;
    console.log(`\n# ${name}: once more, alone: ${failed.map((file) => path.relative('', file)).join(', ')}`);
    if ((await run(failed, 1, folder)).length > 0) return false;
    secondTime.push(...failed.map((file) => path.relative('', file)));
    return true;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// The tests get Ctrl-C as well; what they leave is removed before this ends.
let stopped = false;
const secondTime = [];
process.on('SIGINT', () => {
  stopped = true;
});
let failed = false;
for (const name of process.argv.slice(2)) {
  const suite = suites[name];
  if (suite === undefined) throw new Error(`no such suite: ${name}; there are ${Object.keys(suites).join(', ')}`);
  if (!(await runSuite(suite, name))) failed = true;
  if (stopped) break;
}
if (secondTime.length > 0) console.log(`\n# passed only the second time: ${secondTime.join(', ')}`);
process.exitCode = failed ? 1 : 0;
