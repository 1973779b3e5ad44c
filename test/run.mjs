// Finds test files and hands them to node's own runner: `node test/run.mjs unit e2e …`. Node 20's runner takes no glob patterns.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';

/** Folders of each suite, and how many files run at once: those that start whole gateways get the machine to themselves. */
const suites = {
  unit: { folders: ['shared', 'services', 'test/properties'], concurrency: 2 },
  structure: { folders: ['test'], deep: false, concurrency: 2 },
  deploy: { folders: ['test/deploy', 'test/bench'], concurrency: 1 },
  integration: { folders: ['test/integration'], concurrency: 1 },
  security: { folders: ['test/security'], concurrency: 1 },
  e2e: { folders: ['test/e2e', 'test/helpers', 'test/fixtures'], concurrency: 1 },
  conformance: { folders: ['test/conformance'], concurrency: 1 },
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

function run(files, concurrency) {
  const args = ['--import', 'tsx', '--test', `--test-concurrency=${concurrency}`, '--test-reporter=spec', ...files];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  return new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
}

let failed = false;
for (const name of process.argv.slice(2)) {
  const suite = suites[name];
  if (suite === undefined) throw new Error(`no such suite: ${name}; there are ${Object.keys(suites).join(', ')}`);
  const files = suite.folders.flatMap((folder) => testsIn(folder, suite.deep ?? true)).sort();
  console.log(`\n# ${name}: ${files.length} files`);
  if (files.length > 0 && (await run(files, suite.concurrency)) !== 0) failed = true;
}
process.exitCode = failed ? 1 : 0;
