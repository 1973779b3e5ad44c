import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { exitCode, OperatorError } from '../../../shared/errors.ts';
import { runCheck } from './check.ts';

const text = `
servers:
  web: { url: "https://h/mcp?key=\${SECRET}", headers: { Authorization: "Bearer \${SECRET}" }, instances: 2 }
  local: { command: npx, args: ["-y", pkg, "--token", abc], env: { TOKEN: literal } }
  off: { command: x, disabled: true }
  client:
    url: https://h/client
    auth: { type: client-credentials, clientId: c, clientSecret: "\${SECRET}", issuer: "https://h" }
  managed:
    url: https://h/managed
    auth: { type: enterprise-managed, clientId: c, issuer: "https://h", idp: { tokenUrl: "https://h/t", clientId: d, idToken: "\${SECRET}" } }
  files: { command: x, args: ["\${dir:files}"] }
toolsets: { reading: { tools: ["web__*"] } }
agents: { r: { keys: ["sha256:${'0'.repeat(64)}"], allow: [reading] } }
nats: { url: "nats://user:\${SECRET}@h:4222" }
`;

describe('toolbus check', () => {
  let cwd: string;
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'toolbus-check-'));
    await writeFile(join(cwd, 'toolbus.yaml'), text);
  });
  after(() => rm(cwd, { recursive: true, force: true }));

  async function check(
    json: boolean,
    options: { file?: string; env?: NodeJS.ProcessEnv } = {},
  ): Promise<{ code: number; out: string }> {
    let out = '';
    const code = await runCheck({
      ...options,
      env: options.env ?? { SECRET: 'hunter2-canary' },
      cwd,
      json,
      stdout: {
        write: (part) => {
          out += part;
        },
      },
    });
    return { code, out };
  }

  test('a valid configuration - is told for people, without values', async () => {
    const { code, out } = await check(false);
    assert.equal(code, exitCode.ok);
    assert.ok(!out.includes('canary') && !out.includes('literal') && !out.includes('abc'), out);
    for (const part of [
      'https://h/mcp?key=***',
      'npx -y pkg --token ***',
      '2 instances × 16 calls',
      'disabled',
      'auth headers ',
      'auth none ',
      'auth client-credentials',
      'auth enterprise-managed',
      'nats://***@h:4222',
      'TOKEN=***',
      '1 key',
      'allow reading',
      'runs whatever version of pkg is newest',
    ]) {
      assert.ok(out.includes(part), `${part} in\n${out}`);
    }
  });

  test('--json - is one object on one line', async () => {
    const { out } = await check(true);
    assert.equal(out.indexOf('\n'), out.length - 1);
    assert.ok(!out.includes('canary'));
    const report: unknown = JSON.parse(out);
    assert.ok(typeof report === 'object' && report !== null && 'servers' in report && Array.isArray(report.servers));
    assert.deepEqual(
      report.servers.map((server: { name: string; upstreamAuth: string }) => [server.name, server.upstreamAuth]),
      [
        ['web', 'headers'],
        ['local', 'none'],
        ['off', 'none'],
        ['client', 'client-credentials'],
        ['managed', 'enterprise-managed'],
        ['files', 'none'],
      ],
    );
  });

  test('checking - makes nothing', async () => {
    await check(false);
    assert.deepEqual(await readdir(cwd), ['toolbus.yaml']);
  });

  test('an invalid configuration or none - is an operator error of exit code 2', async () => {
    const usage = (error: unknown): boolean => error instanceof OperatorError && error.code === exitCode.usage;
    await assert.rejects(check(false, { env: {} }), usage);
    await assert.rejects(check(false, { file: 'gone.yaml' }), usage);
  });
});
