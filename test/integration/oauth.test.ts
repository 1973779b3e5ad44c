import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, ClientCredentialsProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { startIssuer } from '../helpers/oauth-issuer.ts';
import { verifies } from '../requirements.ts';
import { startGateway, startRecordingUpstream } from '../security/gateway.ts';

const client = { id: 'sdk-agent', secret: 'sdk-agent-secret' };

for (const mode of ['auto', 'legacy', { pin: '2026-07-28' }] as const) {
  test(`oauth - the client of SDK v2 (${JSON.stringify(mode)}) gets in with nothing but the URL and its credentials`, async () => {
    verifies('oauth:sdk-client', 'oauth:step-up');
    await using issuer = await startIssuer({ clients: [client] });
    await using upstream = await startRecordingUpstream();
    await using gateway = await startGateway({
      servers: { notes: { url: upstream.url } },
      auth: {
        mode: 'oauth',
        issuers: [issuer.url],
        scopes: { 'tools:read': { allow: ['*__read_*'] }, 'tools:write': { allow: ['*'] } },
        initialScopes: ['tools:read'],
      },
      agents: { robot: { subjects: [client.id], allow: ['*'] } },
    });
    const authProvider = new ClientCredentialsProvider({
      clientId: client.id,
      clientSecret: client.secret,
      expectedIssuer: issuer.url,
    });
    const agent = new Client({ name: 'oauth-test', version: '1.0.0' }, { versionNegotiation: { mode } });
    await agent.connect(new StreamableHTTPClientTransport(new URL(gateway.ingress.mcp), { authProvider }));
    const read = await agent.callTool({ name: 'notes__read_note', arguments: {} });
    assert.match(JSON.stringify(read.content), /did read_note/);
    const before = issuer.requests.filter((line) => line === 'POST /token').length;
    const written = await agent.callTool({ name: 'notes__delete_note', arguments: {} });
    assert.match(JSON.stringify(written.content), /did delete_note/);
    assert.ok(issuer.requests.filter((line) => line === 'POST /token').length > before, 'it stepped up by itself');
    await agent.close();
  });
}
