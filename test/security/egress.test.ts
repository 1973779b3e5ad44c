import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { fetchJson } from '../../services/ingress/access/oauth/fetch-json.ts';
import { agentWithKey } from '../helpers/keys.ts';
import { verifies } from '../requirements.ts';
import { startAnsweringUpstream } from './answering-upstream.ts';
import { bearer, dialects, talk } from './dialects.ts';
import { startGateway } from './gateway.ts';
import { echoTool } from './hostile.ts';

/** A listener that must not be reached. */
async function startCanary() {
  let connections = 0;
  const http = createServer((_req, res) => res.end('{}')).on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

for (const status of [301, 302, 303, 307, 308]) {
  test(`egress - a server's ${status} is followed nowhere, in no revision (U3)`, async () => {
    verifies('egress:redirects');
    const { key, agent } = agentWithKey();
    await using canary = await startCanary();
    await using upstream = await startAnsweringUpstream({
      tools: [echoTool('away')],
      answer: () => (res) => res.writeHead(status, { location: `${canary.origin}/latest/meta-data` }).end(),
    });
    await using gateway = await startGateway({ servers: { up: { url: upstream.url } }, agents: { a: agent } });
    for (const dialect of dialects) {
      const caller = await talk(dialect, gateway.origin, bearer(key));
      const { message } = await caller.ask('tools/call', { name: 'up__away', arguments: {} });
      assert.ok(message?.error?.data?.['reason'], dialect.name);
      assert.ok(!JSON.stringify(message).includes('meta-data'), 'nor is the place told');
      caller.close();
    }
    assert.equal(canary.connections(), 0);
  });

  test(`egress - an issuer's ${status} is followed nowhere (U3)`, async () => {
    verifies('egress:redirects');
    await using canary = await startCanary();
    const issuer = createServer((_req, res) => res.writeHead(status, { location: `${canary.origin}/keys` }).end());
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    try {
      await assert.rejects(fetchJson(`http://127.0.0.1:${(issuer.address() as AddressInfo).port}/keys`));
      assert.equal(canary.connections(), 0);
    } finally {
      issuer.closeAllConnections();
      await new Promise((resolve) => issuer.close(resolve));
    }
  });
}
