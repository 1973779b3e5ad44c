import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { connectBus } from '../../shared/bus/connect.ts';
import { startTestBroker } from '../../shared/bus/testing/broker.ts';
import { createAuthority } from '../helpers/certificates.ts';
import { verifies } from '../requirements.ts';

const log = pino({ level: 'silent' });

test('nats tls - a server without TLS is refused where tls:// was asked for', async () => {
  verifies('nats:tls');
  const broker = await startTestBroker();
  try {
    const url = broker.url.replace('nats://', 'tls://');
    await assert.rejects(connectBus({ url, name: 'test', log }), /cannot reach NATS/);
  } finally {
    await broker.close();
  }
});

test('nats tls - both sides show certificates; whoever has none, or trusts nobody, is refused', async () => {
  verifies('nats:tls');
  const root = mkdtempSync(join(tmpdir(), 'toolbus-tls-'));
  const authority = createAuthority(root);
  const server = authority.issue('server');
  const client = authority.issue('client');
  const config = join(root, 'nats.conf');
  const quoted = (path: string) => JSON.stringify(path);
  writeFileSync(
    config,
    `tls { cert_file: ${quoted(server.cert)}, key_file: ${quoted(server.key)}, ca_file: ${quoted(authority.ca)}, verify: true }\n`,
  );
  const broker = await startTestBroker(['-c', config]);
  const url = broker.url.replace('nats://', 'tls://');
  try {
    const nc = await connectBus({ url, name: 'test', log, tls: { ca: authority.ca, ...client } });
    assert.equal(nc.info?.tls_required, true);
    const echo = nc.subscribe('echo', { callback: (_error, message) => void message.respond(message.data) });
    assert.equal((await nc.request('echo', 'over tls')).string(), 'over tls');
    echo.unsubscribe();
    await nc.close();
    await assert.rejects(connectBus({ url, name: 'test', log, tls: { ca: authority.ca } }), /cannot reach NATS/);
    await assert.rejects(connectBus({ url, name: 'test', log, tls: client }), /cannot reach NATS/);
  } finally {
    await broker.close();
    rmSync(root, { recursive: true, force: true });
  }
});
