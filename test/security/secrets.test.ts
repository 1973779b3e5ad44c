import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { pino } from 'pino';
import { send } from '../../services/ingress/http/testing/raw-http.ts';
import { connectBus } from '../../shared/bus/connect.ts';
import { readAudit } from '../chaos/audit-oracle.ts';
import { agentWithKey } from '../helpers/keys.ts';
import { post } from '../helpers/rpc.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';
import { startAnsweringUpstream, textResult } from './answering-upstream.ts';
import { bearer, dialects, talk } from './dialects.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { echoTool, hostileServer } from './hostile.ts';

/** Makes secrets that are told apart wherever one turns up, and knows all that were made. */
function createCanaries() {
  const all: string[] = [];
  return {
    all,
    make(where: string): string {
      const canary = `cnry${String(all.length).padStart(2, '0')}${where}${Math.random().toString(36).slice(2, 8)}`;
      all.push(canary);
      return canary;
    },
  };
}

/** Canaries in a text, however it spells them: as they are, in base64, percent-encoded. */
function found(text: string, canaries: readonly string[]): string[] {
  return canaries.filter(
    (canary) => text.includes(canary) || text.includes(Buffer.from(canary).toString('base64').slice(2, -4)),
  );
}

test('secrets - what is planted in 40 places is in no log, audit, metric, answer, subject or bucket (L2, L4)', async () => {
  verifies('secrets:nowhere');
  const config = createCanaries();
  const calls = createCanaries();
  const upstreams = createCanaries();
  await using web = await startAnsweringUpstream({
    tools: ['echo', 'status', 'page', 'redirect', 'header', 'broken', 'stack'].map((name) => echoTool(name)),
    answer({ name, id }) {
      const said = upstreams.make(name);
      switch (name) {
        case 'echo':
          return textResult('done');
        case 'status':
          return (res) => res.writeHead(500).end(`Error: ${said}\n    at Object.<anonymous> (/srv/${said}.js:1:1)`);
        case 'page':
          return (res) => res.writeHead(200, { 'content-type': 'text/html' }).end(`<h1>${said}</h1>`);
        case 'redirect':
          return (res) => res.writeHead(302, { location: `https://u:${said}@example.com/?token=${said}` }).end();
        case 'header':
          return (res) =>
            res.writeHead(401, { 'www-authenticate': `Bearer realm="${said}"`, 'set-cookie': said }).end();
        case 'broken':
          return (res) =>
            res
              .writeHead(200, { 'content-type': 'application/json' })
              .end(`{"jsonrpc":"2.0","id":${id},"result":${said}`);
        default:
          return (res) => {
            res.writeHead(200, { 'content-type': 'application/json' }).write(`{"a":"${said}`);
            res.destroy();
          };
      }
    },
  });
  using program = hostileServer({ tools: [echoTool('echo')] });
  const url = new URL(web.url);
  url.username = config.make('user');
  url.password = config.make('pass');
  url.searchParams.set('api_key', config.make('query'));
  const ann = agentWithKey();
  const bob = agentWithKey();
  config.all.push(ann.key, bob.key);
  const settings = {
    servers: {
      web: {
        url: url.href,
        headers: { 'x-api-key': config.make('header'), 'x-more': config.make('more'), cookie: config.make('cookie') },
      },
      program: {
        ...program.server,
        args: [...program.server.args, `--token=${config.make('arg')}`, config.make('plainarg')],
        env: {
          ...program.server.env,
          TOKEN: config.make('env'),
          DATABASE_URL: `postgres://u:${config.make('url')}@db/x`,
        },
      },
      dead: {
        url: `http://x:${config.make('dead')}@127.0.0.1:1/${config.make('path')}`,
        headers: { a: config.make('deadheader') },
      },
      gone: { command: `/nowhere/${'program'}`, args: [config.make('gonearg')], env: { A: config.make('goneenv') } },
    },
    agents: { ann: ann.agent, bob: { ...bob.agent, allow: [] } },
    cluster: { secret: config.make('clustersecretclustersecret') },
    audit: { tools: { web__echo: { arguments: 'none' } } },
  };
  const dataDir = mkdtempSync(join(tmpdir(), 'toolbus-secrets-'));
  const gateway = await startGateway(settings, { dataDir });
  const nc = await connectBus({ url: gateway.nats.url, name: 'secrets test', log: pino({ level: 'silent' }) });
  try {
    const answers = await speak(gateway, ann.key, calls, config);
    await delay(1_500);
    const secrets = [...config.all, ...calls.all, ...upstreams.all];
    assert.ok(secrets.length >= 40, `${secrets.length} canaries`);
    const clean = (where: string, text: string, planted = secrets) => assert.deepEqual(found(text, planted), [], where);

    clean('logs', gateway.logs.join('\n'));
    clean('answers', answers.join('\n'));
    clean('audit', JSON.stringify(await readAudit(gateway.nats.url)));
    for (const path of ['/metrics', '/readyz', '/api/servers', '/api/tools?all=1'])
      clean(path, await (await fetch(gateway.ingress.admin + path)).text());
    // Arguments of a call and what a server answers must cross NATS to get from one side to the other; nothing else may hold them.
    const isCall = (line: string) => /^tb\.v1\.default\.(call|inst|reply)\./.test(line);
    clean('messages', gateway.traffic.filter((line) => !isCall(line)).join('\n'));
    clean('messages of calls', gateway.traffic.filter(isCall).join('\n'), [...config.all, ...upstreams.all]);
    clean('subjects', gateway.traffic.map((line) => line.split(/[{\s]/, 1)[0]).join('\n'));
    clean('buckets and streams', await everythingStored(nc));
    assert.ok(found(gateway.traffic.filter(isCall).join('\n'), calls.all).length > 20, 'what is there is found');
    assert.ok(gateway.logs.length > 0 && gateway.traffic.length > 100, 'there was something to look at');
  } finally {
    await nc.close();
    await gateway[Symbol.asyncDispose]();
    rmSync(dataDir, { recursive: true, force: true });
  }
});

/** Says secrets in every place where an agent can say something. Returns all that it was answered. */
async function speak(
  gateway: Gateway,
  key: string,
  calls: ReturnType<typeof createCanaries>,
  config: ReturnType<typeof createCanaries>,
): Promise<string[]> {
  const answers: string[] = [];
  for (const dialect of dialects) {
    const headers = {
      ...bearer(key),
      cookie: `session=${calls.make('cookie')}`,
      'x-api-key': calls.make('header'),
      'proxy-authorization': `Basic ${calls.make('proxy')}`,
      'x-forwarded-for': calls.make('forwarded'),
    };
    const agent = await talk(dialect, gateway.origin, headers);
    const ask = async (name: string, args: object) => {
      const { message } = await agent.ask('tools/call', { name, arguments: args }, headers);
      answers.push(JSON.stringify(message));
    };
    await ask('web__echo', { text: calls.make('plain') });
    for (const name of ['web__status', 'web__page', 'web__redirect', 'web__header', 'web__broken', 'web__stack'])
      await ask(name, {
        password: calls.make('password'),
        deep: [{ apiToken: calls.make('token') }],
        Secret_Key: { a: calls.make('secret') },
      });
    await ask('dead__x', { password: calls.make('password') });
    await ask('web__nothing', { password: calls.make('password') });
    await ask('web__status', { password: [calls.make('list')] });
    agent.close();
  }
  const wrong = config.make('wrongkey');
  const { port } = gateway;
  for (const path of [
    `/mcp?token=${calls.make('query')}`,
    `/nowhere?key=${calls.make('nowhere')}`,
    `/messages?sessionId=${calls.make('session')}`,
  ])
    answers.push(
      JSON.stringify(
        await send({ port, path, headers: { ...bearer(wrong), 'content-type': 'application/json' }, body: '{}' }),
      ),
    );
  const known = await post(
    `${gateway.origin}/mcp?token=${calls.make('query')}`,
    `{"jsonrpc":"2.0","id":1,"method":"${calls.make('method')}`,
    { key },
  );
  answers.push(known.text);
  await until('the dead server is known to be dead', () => gateway.logs.some((line) => line.includes('"dead"')));
  return answers;
}

/** Every message of every stream, which are all buckets too, as one text. */
async function everythingStored(nc: NatsConnection): Promise<string> {
  const texts: string[] = [];
  const manager = await jetstreamManager(nc);
  for await (const { config, state } of manager.streams.list()) {
    for (let seq = state.first_seq; seq <= state.last_seq; seq += 1) {
      const message = await manager.streams.getMessage(config.name, { seq }).catch(() => null);
      if (message !== null) texts.push(`${message.subject} ${Buffer.from(message.data).toString('utf8')}`);
    }
  }
  assert.ok(texts.length > 5, 'there was something stored');
  return texts.join('\n');
}
