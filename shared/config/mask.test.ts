import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { maskText, maskUrl, showServer } from './mask.ts';
import { serverSchema } from './schema.ts';

describe('showServer', () => {
  test('a stdio server - shows names of env, not values, and no secret in its arguments', () => {
    const server = serverSchema.parse({
      command: 'npx',
      args: ['-y', 'pkg@1', '--api-key', 'k1', '--token=k2', '--verbose', 'x hunter2 y', 'http://u:p@h/?q=1&z=2'],
      env: { TOKEN: 'hunter2', PLAIN: 'literal' },
    });
    assert.deepEqual(showServer(server, ['hunter2']), {
      transport: 'stdio',
      command: 'npx',
      args: ['-y', 'pkg@1', '--api-key', '***', '--token=***', '--verbose', 'x *** y', 'http://***@h/?q=***&z=***'],
      env: Object.assign(Object.create(null), { TOKEN: '***', PLAIN: '***' }),
    });
  });

  test('a server behind URLs - shows them without what authenticates', () => {
    const server = serverSchema.parse({
      url: ['https://u:p@h/mcp?key=1', 'https://h/hunter2/mcp'],
      headers: { A: 'b' },
      type: 'sse',
    });
    assert.deepEqual(showServer(server, ['hunter2']), {
      transport: 'sse',
      urls: ['https://***@h/mcp?key=***', 'https://h/***/mcp'],
      headers: Object.assign(Object.create(null), { A: '***' }),
    });
  });
});

describe('maskUrl', () => {
  for (const [text, expected] of [
    ['nats://user:pass@a:4222,nats://token@b', 'nats://***@a:4222,nats://***@b'],
    ['user:pass@a:4222', '***@a:4222'],
    ['nats://a:4222', 'nats://a:4222'],
    ['https://h/@scope/pkg', 'https://h/@scope/pkg'],
  ] as const) {
    test(`${text} - is ${expected}`, () => assert.equal(maskUrl(text, []), expected));
  }

  test('longer secrets - are masked before those that they hold', () => {
    assert.equal(maskText('hunter2-long', ['hunter2-long', 'hunter2']), '***');
  });
});
