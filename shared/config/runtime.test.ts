import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exitCode, OperatorError } from '../errors.ts';
import { type RuntimeFlags, requireSafeBind, resolveRuntime } from './runtime.ts';
import { configSchema } from './schema.ts';

describe('resolveRuntime', () => {
  test('defaults - are loopback, the ports of the contract and .toolbus', () => {
    assert.deepEqual(resolveRuntime({}, {}, '/srv/here'), {
      host: '127.0.0.1',
      port: 8080,
      adminHost: '127.0.0.1',
      adminPort: 8081,
      dataDir: '/srv/here/.toolbus',
      nats: undefined,
      logLevel: 'info',
      json: false,
    });
  });

  test('flags - go before variables', () => {
    const env = {
      TOOLBUS_HOST: '0.0.0.0',
      TOOLBUS_PORT: '1',
      TOOLBUS_ADMIN_PORT: '2',
      TOOLBUS_DATA_DIR: 'data',
      TOOLBUS_LOG_LEVEL: 'debug',
      TOOLBUS_NATS: 'nats://a',
      NATS_URL: 'nats://b',
    };
    const fromEnv = resolveRuntime({}, env, '/x');
    assert.deepEqual(
      [fromEnv.host, fromEnv.port, fromEnv.adminPort, fromEnv.dataDir, fromEnv.logLevel, fromEnv.nats],
      ['0.0.0.0', 1, 2, '/x/data', 'debug', 'nats://a'],
    );
    const flags = {
      host: '::1',
      port: '0',
      adminPort: 0,
      dataDir: '/d',
      logLevel: 'warn',
      nats: 'h:4222,tls://i',
      json: true,
    };
    const fromFlags = resolveRuntime(flags, env, '/x');
    assert.deepEqual(
      [fromFlags.host, fromFlags.port, fromFlags.adminPort, fromFlags.dataDir, fromFlags.logLevel, fromFlags.nats],
      ['::1', 0, 0, '/d', 'warn', 'h:4222,tls://i'],
    );
    assert.equal(fromFlags.json, true);
  });

  test('an empty variable - is none', () => {
    assert.equal(
      resolveRuntime({}, { TOOLBUS_PORT: '', TOOLBUS_NATS: '', NATS_URL: 'nats://b' }, '/x').nats,
      'nats://b',
    );
  });

  for (const [flags, env, expected] of [
    [{ port: '65536' }, {}, '--port must be a port from 0 to 65535'],
    [{ port: '80a' }, {}, '--port must be a port from 0 to 65535'],
    [{ port: '' }, {}, '--port must be a port from 0 to 65535'],
    [{}, { TOOLBUS_ADMIN_PORT: '-1' }, 'TOOLBUS_ADMIN_PORT must be a port from 0 to 65535'],
    [{ host: 'a b' }, {}, '--host must be a host name or an IP address'],
    [{ dataDir: '' }, {}, '--data-dir must not be empty'],
    [{ nats: 'http://x' }, {}, '--nats must be a NATS address such as nats://host:4222, or several with commas'],
    [{}, { NATS_URL: 'nats://' }, 'NATS_URL must be a NATS address such as nats://host:4222, or several with commas'],
    [
      { logLevel: 'wran' },
      {},
      '--log-level must be one of trace, debug, info, warn, error, fatal, silent; did you mean warn?',
    ],
  ] as readonly (readonly [RuntimeFlags, NodeJS.ProcessEnv, string])[]) {
    test(`${JSON.stringify({ ...flags, ...env })} - is refused by name`, () => {
      assert.throws(
        () => resolveRuntime(flags, env, '/x'),
        (error: unknown) =>
          error instanceof OperatorError && error.code === exitCode.usage && error.message === expected,
      );
    });
  }
});

describe('requireSafeBind', () => {
  const open = configSchema.parse({ auth: { mode: 'none' } });

  test('no authentication - is for loopback only', () => {
    for (const host of ['127.0.0.1', '127.8.9.1', '::1', '[::1]', 'localhost']) requireSafeBind(open, host);
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.com', '127.evil.example']) {
      assert.throws(() => requireSafeBind(open, host), OperatorError);
    }
    requireSafeBind(configSchema.parse({}), '0.0.0.0');
  });
});
