import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runToolbus, startToolbus } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';
import { echoTool, hostileServer } from './hostile.ts';

test('secrets - servers tells how a server is shown who we are, and not with what (L2)', async () => {
  verifies('secrets:nowhere', 'cli:servers');
  const secret = 'cnry-of-a-server';
  const url = 'http://127.0.0.1:1/mcp';
  const client = { clientId: `id-${secret}`, clientSecret: secret, issuer: 'https://127.0.0.1:1' };
  using program = hostileServer({ tools: [echoTool('echo')] });
  const servers = {
    program: { ...program.server, env: { ...program.server.env, TOKEN: secret } },
    open: { url },
    keyed: { url, headers: { 'x-api-key': secret } },
    client: { url, auth: { type: 'client-credentials', ...client } },
    managed: {
      url,
      auth: {
        type: 'enterprise-managed',
        ...client,
        idp: { tokenUrl: 'https://127.0.0.1:1/token', clientId: 'idp', idToken: secret },
      },
    },
  };
  const kinds = {
    program: 'none',
    open: 'none',
    keyed: 'headers',
    client: 'client-credentials',
    managed: 'enterprise-managed',
  };
  await using toolbus = await startToolbus({ config: { servers } });
  const command = ['servers', '--config', toolbus.configFile, '--nats', toolbus.ready.nats];

  const told = await runToolbus(command);
  assert.equal(told.code, 0, told.stderr);
  const [header = '', ...rows] = told.stdout.trimEnd().split('\n');
  const at = header.indexOf('auth');
  assert.ok(at > 0, header);
  const shown = rows.map((row) => [row.split(' ', 1)[0], row.slice(at).split(' ', 1)[0]]);
  assert.deepEqual(Object.fromEntries(shown), kinds);

  const asJson = await runToolbus([...command, '--json']);
  assert.equal(asJson.code, 0, asJson.stderr);
  const report = JSON.parse(asJson.stdout) as { servers: { name: string; upstreamAuth: string }[] };
  assert.deepEqual(Object.fromEntries(report.servers.map(({ name, upstreamAuth }) => [name, upstreamAuth])), kinds);
  assert.ok(!told.stdout.includes(secret) && !asJson.stdout.includes(secret), asJson.stdout);
});
