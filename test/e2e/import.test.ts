import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { runToolbus } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';

const dir = mkdtempSync(join(tmpdir(), 'toolbus-import-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const put = (name: string, content: string | object): string => {
  const file = join(dir, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content, undefined, 2));
  return file;
};
const run = (args: readonly string[], env: Record<string, string> = {}) => runToolbus(args, { cwd: dir, env });
const read = (name: string) => readFileSync(join(dir, name), 'utf8');

interface Checked {
  readonly servers: readonly {
    readonly name: string;
    readonly transport: string;
    readonly command?: string;
    readonly args?: readonly string[];
    readonly urls?: readonly string[];
    readonly env?: object;
    readonly headers?: object;
    readonly disabled: boolean;
  }[];
}

/** What `check` makes of the imported text, which says that the schema takes it. */
async function checked(yaml: string, env: Record<string, string>): Promise<Checked['servers']> {
  const file = put('imported.yaml', yaml);
  const { code, stdout, stderr } = await run(['check', '--config', file, '--json'], env);
  assert.equal(code, 0, `${stderr}\n${yaml}`);
  return (JSON.parse(stdout) as Checked).servers;
}

const secrets = [
  'ghp_SECRETsecretSECRET12345',
  'hunter2',
  'abc123SECRETkey',
  'Zm9vOmJhcnNlY3JldA==',
  'p4ssw0rd-of-db',
  '9182',
];

const claude = `{
  // Claude Desktop lets comments pass
  "mcpServers": {
    "github": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-github", "--api-key=${secrets[2]}", "--token", "${secrets[0]}"],
      "env": { "GITHUB_TOKEN": "${secrets[0]}", "LOG_LEVEL": "debug", "ROOT": "/srv/data", "PIN": "${secrets[5]}",
               "DATABASE": "postgres://me:${secrets[4]}@db/x", "REGION": "\${REGION:-eu-west-1}" }
    },
    "remote": {
      "type": "streamable-http",
      "url": "https://ann:${secrets[1]}@api.example.com/mcp?api_key=${secrets[2]}&page=2",
      "headers": { "Authorization": "Basic ${secrets[3]}", "X-Team": "\${TEAM}" },
      "headersHelper": "./helper"
    },
    "My Server!": { "command": "uvx", "args": ["thing==1.0"], "disabled": true, "alwaysAllow": ["a"] },
    "socket": { "type": "ws", "url": "wss://example.com" }
  },
  "numStartups": 3
}`;

test('import of a Claude file - references stay, secrets become references, the rest is told', async () => {
  verifies('import:clients');
  const file = put('claude.json', claude);
  const { code, stdout, stderr } = await run(['import', file]);
  assert.equal(code, 0, stderr);
  for (const secret of secrets) assert.ok(!stdout.includes(secret) && !stderr.includes(secret), `${secret} is shown`);
  assert.match(stdout, /REGION: \$\{REGION:-eu-west-1\}/);
  assert.match(stdout, /LOG_LEVEL: debug/);
  assert.match(stdout, /Authorization: Basic \$\{REMOTE_AUTHORIZATION\}/);
  assert.match(stdout, /# socket: cannot be carried over/);
  assert.match(stdout, /headersHelper/);
  assert.match(stderr, /warning: runs whatever version of @modelcontextprotocol\/server-github/);
  const needed = /set before the start: (.*)/.exec(stdout)?.[1]?.split(', ') ?? [];
  assert.ok(needed.includes('TEAM') && needed.includes('GITHUB_TOKEN') && needed.includes('PIN'), needed.join());
  const servers = await checked(stdout, Object.fromEntries(needed.map((name) => [name, 'value-of-it'])));
  assert.deepEqual(
    servers.map(({ name, transport, disabled }) => [name, transport, disabled]),
    [
      ['github', 'stdio', false],
      ['remote', 'http', false],
      ['My-Server', 'stdio', true],
    ],
  );
});

test('import of VS Code and Cursor files - their variables, inputs and folders', async () => {
  verifies('import:clients');
  const file = put('project/.vscode/mcp.json', {
    inputs: [{ type: 'promptString', id: 'gh-key', description: 'key', password: true }],
    servers: {
      gh: { type: 'http', url: '${env:GH_URL}/mcp', headers: { Authorization: 'Bearer ${input:gh-key}' } },
      fs: {
        type: 'stdio',
        command: '${userHome}/bin/fs',
        args: ['${workspaceFolder}/src', '${config:x.y}', '$PLAIN', '${workspaceFolderBasename}'],
        envFile: '${workspaceFolder}/.env',
      },
    },
  });
  const { code, stdout, stderr } = await run(['import', file]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /Bearer \$\{TOOLBUS_INPUT_GH_KEY\}/);
  assert.match(stdout, /envFile/);
  const env = { GH_URL: 'https://gh.example.com', TOOLBUS_INPUT_GH_KEY: 'k', HOME: '/home/ann' };
  const [gh, fs] = await checked(stdout, env);
  assert.deepEqual(gh?.urls, ['***/mcp']);
  assert.equal(fs?.args?.[0], join(dir, 'project', 'src'));
  assert.deepEqual(fs?.args?.slice(1), ['${config:x.y}', '$PLAIN', 'project']);

  const cursor = put('.cursor/mcp.json', {
    mcpServers: { web: { url: 'http://127.0.0.1:9/mcp', headers: { 'X-Key': '${env:WEB_KEY}' }, auth: { x: 1 } } },
  });
  const imported = await run(['import', cursor]);
  assert.match(imported.stdout, /X-Key: \$\{WEB_KEY\}/);
  await checked(imported.stdout, { WEB_KEY: 'k' });
});

test('import --write - makes a file, or adds what is not there and keeps comments and a copy', async () => {
  verifies('import:clients');
  const file = put('two.json', {
    mcpServers: { github: { command: 'other' }, fresh: { command: 'fresh', args: ['--a'] } },
  });
  const created = await run(['import', file, '--write', '--config', 'new.yaml']);
  assert.equal(created.code, 0, created.stderr);
  assert.match(read('new.yaml'), /fresh:\n {4}command: fresh/);

  const mine = '# mine\nservers:\n  github: # the one\n    command: gh\nagents:\n  ann: { allow: ["*"] } # all\n';
  put('toolbus.yaml', mine);
  const merged = await run(['import', file, '--write']);
  assert.equal(merged.code, 0, merged.stderr);
  assert.match(merged.stderr, /it has these already: github/);
  const text = read('toolbus.yaml');
  for (const kept of ['# mine', '# the one', 'command: gh', '# all']) assert.ok(text.includes(kept), kept);
  assert.match(text, /fresh:\n {4}command: fresh/);
  assert.equal(read('toolbus.yaml.bak'), mine);
  assert.equal((await run(['check'])).code, 0);
  assert.match((await run(['import', file, '--write'])).stdout, /nothing to add/);
  assert.equal(read('toolbus.yaml'), text);
});

test('import - files that are broken, missing or of no client exit 2 and change nothing', async () => {
  const cases: [string, string, RegExp][] = [
    ['broken.json', '{ "mcpServers": { "a": }', /broken\.json:1:\d+/],
    ['other.json', '{ "name": "x" }', /holds neither mcpServers nor servers/],
    ['twice.json', '{"mcpServers":{"a":{"command":"x"},"a":{"command":"y"}}}', /twice\.json:1:\d+.*duplicate/],
  ];
  for (const [name, text, message] of cases) {
    const { code, stdout, stderr } = await run(['import', put(name, text), '--write', '--config', 'untouched.yaml']);
    assert.equal(code, 2, name);
    assert.equal(stdout, '');
    assert.match(stderr, message);
  }
  assert.equal((await run(['import', 'missing.json'])).code, 2);
  const good = put('good.json', { mcpServers: { a: { command: 'x' } } });
  put('broken.yaml', 'servers: [\n');
  const refused = await run(['import', good, '--write', '--config', 'broken.yaml']);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /broken\.yaml:\d+:\d+/);
  assert.equal(read('broken.yaml'), 'servers: [\n');
  assert.equal(existsSync(join(dir, 'untouched.yaml')), false);
});
