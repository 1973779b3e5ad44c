import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { compose, root } from './compose-file.ts';

interface Instruction {
  readonly name: string;
  readonly rest: string;
  /** 0 is the first stage. */
  readonly stage: number;
}

function parseDockerfile(text: string): Instruction[] {
  const lines = text
    .replaceAll(/^\s*#.*$/gm, '')
    .replaceAll(/\\\r?\n/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  let stage = -1;
  return lines.map((line) => {
    const space = line.indexOf(' ');
    const name = line.slice(0, space).toUpperCase();
    if (name === 'FROM') stage++;
    return { name, rest: line.slice(space + 1).trim(), stage };
  });
}

const text = readFileSync(join(root, 'deploy/Dockerfile'), 'utf8');
const instructions = parseDockerfile(text);
const all = (name: string) => instructions.filter((instruction) => instruction.name === name);
const last = (name: string) => all(name).at(-1);
const finalStage = instructions.at(-1)!.stage;

/** Sources of COPY that come from the checkout. */
const copied = all('COPY')
  .filter(({ rest }) => !rest.startsWith('--from='))
  .flatMap(({ rest }) => rest.split(/\s+/).slice(0, -1));

test('Dockerfile - every stage begins with a pinned Node 24', () => {
  assert.equal(all('FROM').length, 2);
  for (const { rest } of all('FROM'))
    assert.match(rest, /^node:24(\.\d+\.\d+)?-slim(@sha256:[0-9a-f]{64})?( AS \w+)?$/);
});

test('Dockerfile - runs as another user than root', () => {
  const user = last('USER');
  assert.equal(user?.stage, finalStage);
  assert.doesNotMatch(user?.rest ?? 'root', /^(root|0)\b/);
  const after = instructions.slice(instructions.indexOf(user!) + 1).map(({ name }) => name);
  assert.ok(!after.includes('RUN') && !after.includes('COPY'), 'nothing is built after the user is set');
});

test('Dockerfile - installs what the lock file says and leaves development packages behind', () => {
  const runs = all('RUN').map(({ rest }) => rest);
  assert.ok(runs.some((run) => run.startsWith('npm ci')));
  assert.ok(runs.some((run) => run.includes('npm prune --omit=dev --omit=optional')));
  assert.ok(runs.every((run) => !/npm (i|install)\b|curl|wget/.test(run)));
});

test('Dockerfile - holds no secret, and nothing is fetched by ADD', () => {
  assert.equal(all('ADD').length, 0);
  assert.equal(all('ARG').length, 0);
  for (const { rest } of all('ENV')) assert.doesNotMatch(rest, /secret|password|token|key/i);
});

test('Dockerfile - starts without a shell and says how it is well', () => {
  assert.deepEqual(JSON.parse(last('ENTRYPOINT')?.rest ?? ''), ['node', '/app/bin/toolbus.js']);
  assert.match(last('HEALTHCHECK')?.rest ?? '', /CMD \["node", "\/app\/deploy\/healthcheck\.js", "admin"\]$/);
});

test('Dockerfile - everything that it copies exists and is let into the build context', () => {
  const ignore = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
  assert.ok(ignore.includes('*'), 'the context is a list of what may enter');
  for (const source of copied) {
    assert.ok(existsSync(join(root, source)), `${source} exists`);
    assert.ok(ignore.includes(`!${source.replace(/^\.\//, '')}`), `.dockerignore lets ${source} in`);
  }
});

test('Dockerfile - the services of compose that are built from it set an init', () => {
  for (const [name, service] of Object.entries(compose.services)) {
    if (service.build !== undefined) assert.equal(service.init, true, name);
  }
});
