import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { loadConfig } from '../../shared/config/load.ts';
import { exitCode, OperatorError } from '../../shared/errors.ts';
import { runToolbus } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';
import { mutatedJson } from './mutations.ts';
import { bounded } from './scale.ts';

const examples = fileURLToPath(new URL('../../deploy/examples', import.meta.url));
const texts = readdirSync(examples, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.ya?ml$/.test(file))
  .map((file) => readFileSync(join(examples, file), 'utf8'));

const full = {
  servers: {
    a: {
      command: 'node',
      args: ['-e', '0'],
      env: { A: '${HOME}' },
      limits: { rate: '10/s', burst: 3 },
      breaker: { errorPercent: 50 },
    },
    b: { url: ['http://127.0.0.1:1/mcp'], headers: { x: 'y' }, tools: { allow: ['*'], deny: ['x'] } },
  },
  toolsets: { t: { tools: ['a__*'] } },
  agents: { ann: { keys: [`sha256:${'0'.repeat(64)}`], allow: ['t'], ips: ['10.0.0.0/8'] } },
  access: { allowIps: ['127.0.0.0/8'], allowedOrigins: ['https://a.example'] },
  limits: { rate: '1000/s', bodyBytes: 1_048_576 },
  audit: { mode: 'required', redact: ['*x*'] },
};

/** A text with pieces taken out, doubled, or put where they do not belong. */
const mutatedText = fc.constantFrom(...texts).chain((text) =>
  fc
    .array(
      fc.record({
        at: fc.nat(text.length),
        length: fc.nat(30),
        put: fc.oneof(
          fc.constantFrom(
            '',
            ':',
            '\n',
            '  ',
            '\t',
            '- ',
            '{',
            ']',
            '"',
            '&a',
            '*a',
            '<<: *a',
            '!!js/function x',
            '${',
            '${X:-',
            '%',
            '\u0000',
            '---\n',
            '? ',
          ),
          fc.string({ maxLength: 8 }),
        ),
      }),
      { minLength: 1, maxLength: 4 },
    )
    .map((edits) => edits.reduce((now, { at, length, put }) => now.slice(0, at) + put + now.slice(at + length), text)),
);
const anyText = fc.oneof(mutatedText, mutatedJson(JSON.stringify(full)));

test('config fuzz - a mutated configuration is loaded, or refused with its place', async () => {
  verifies('fuzz:config');
  assert.ok(texts.length > 0, 'there are examples to mutate');
  const cwd = mkdtempSync(join(tmpdir(), 'toolbus-config-fuzz-'));
  const refused: string[] = [];
  try {
    await fc.assert(
      fc.asyncProperty(anyText, async (text) => {
        writeFileSync(join(cwd, 'toolbus.yaml'), text);
        try {
          await loadConfig({ env: { HOME: cwd }, cwd, file: 'toolbus.yaml', forUp: false });
        } catch (error) {
          assert.ok(error instanceof OperatorError, `${error instanceof Error ? error.stack : error}\n${text}`);
          assert.equal(error.code, exitCode.usage);
          assert.match(error.message, /toolbus\.yaml:\d+:\d+|toolbus\.yaml: (is|must|cannot)/, error.message);
          refused.push(text);
        }
      }),
      bounded(300),
    );
    assert.ok(refused.length > 10, `${refused.length} were refused`);
    for (const text of refused.slice(0, 3)) {
      writeFileSync(join(cwd, 'toolbus.yaml'), text);
      const { code, stderr } = await runToolbus(['check', '--config', join(cwd, 'toolbus.yaml')], { cwd });
      assert.equal(code, 2, stderr);
      assert.doesNotMatch(stderr, /\n\s+at .*:\d+:\d+\)/, 'no stack trace');
    }
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
});
