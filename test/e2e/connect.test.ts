import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { agents } from '../helpers/agents.ts';
import { fixtureCommand } from '../helpers/fixture.ts';
import { stdioAgents } from '../helpers/stdio.ts';
import { runToolbus, startToolbus, type Toolbus } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';

const home = mkdtempSync(join(tmpdir(), 'toolbus-connect-'));
const work = join(home, 'work');
const env = { HOME: home, XDG_CONFIG_HOME: join(home, 'xdg'), CLAUDE_CONFIG_DIR: '' };
const url = 'http://127.0.0.1:8080/mcp';
let toolbus: Toolbus;

before(async () => {
  mkdirSync(work);
  toolbus = await startToolbus({ config: { servers: { scripted: fixtureCommand('scripted-upstream', ['--stdio']) } } });
});

after(async () => {
  await toolbus?.[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

const connect = (...args: string[]) => runToolbus(['connect', ...args], { cwd: work, env });
const read = (file: string): string => readFileSync(file, 'utf8');
const put = (file: string, text: string): string => {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
};

test('connect - prints the entry of each client and writes nothing', async () => {
  verifies('connect:clients');
  const expected: [string, string, RegExp][] = [
    [
      'claude-desktop',
      'xdg/Claude/claude_desktop_config.json',
      /"stdio",\s+"--url",\s+"http:\/\/127\.0\.0\.1:8080\/mcp"/,
    ],
    ['claude-code', 'work/.mcp.json', /claude mcp add .*'Authorization: Bearer \$\{TOOLBUS_API_KEY\}'/],
    [
      'cursor',
      '.cursor/mcp.json',
      /Bearer \$\{env:TOOLBUS_API_KEY\}[\s\S]*cursor:\/\/anysphere\.cursor-deeplink\/mcp\/install\?name=toolbus&config=/,
    ],
    ['vscode', 'xdg/Code/User/mcp.json', /"password": true[\s\S]*code --add-mcp '[\s\S]*vscode:mcp\/install\?%7B/],
  ];
  for (const [client, file, pattern] of expected) {
    const { code, stdout, stderr } = await connect(client, '--url', url);
    assert.equal(code, 0, stderr);
    assert.match(stdout, pattern, client);
    assert.ok(stdout.includes(join(home, file)), stdout);
    assert.equal(existsSync(join(home, file)), false);
    const json = JSON.parse((await connect(client, '--url', url, '--json')).stdout);
    assert.equal(json.client, client);
    assert.ok(json.entry.url === url || json.entry.args.includes(url));
  }
});

test('connect --write - merges into the real file, keeps the rest and a copy, and is done once', async () => {
  verifies('connect:keeps-file', 'connect:clients');
  const before =
    '{\n  // mine\n  "mcpServers": { "other": { "command": "x", "odd": true } },\n  "numStartups": 12\n}\n';
  const file = put(join(home, '.cursor', 'mcp.json'), before);
  const first = await connect('cursor', '--url', url, '--write');
  assert.equal(first.code, 0, first.stderr);
  const text = read(file);
  assert.match(text, /\/\/ mine/);
  assert.match(text, /"odd": true/);
  assert.match(text, /"numStartups": 12/);
  assert.match(text, /Bearer \$\{env:TOOLBUS_API_KEY\}/);
  assert.equal(read(`${file}.bak`), before);
  const again = await connect('cursor', '--url', url, '--write');
  assert.match(again.stdout, /already/);
  assert.equal(read(file), text);
  assert.equal(read(`${file}.bak`), before, 'the copy is of what the user had');
});

test('connect --write - a broken file is refused with its place and not touched', async () => {
  verifies('connect:keeps-file');
  const broken = '{\n  "mcpServers": {\n    "a": { "command": "x" \n  }\n';
  const file = put(join(home, 'broken.json'), broken);
  const { code, stderr } = await connect('claude-code', '--url', url, '--write', '--file', file);
  assert.equal(code, 2);
  assert.match(stderr, /broken\.json:\d+:\d+: this is not valid JSON/);
  assert.equal(read(file), broken);
  assert.equal(existsSync(`${file}.bak`), false);
});

test('connect --write - a new file is for its owner alone, a link stays a link', async () => {
  const created = await connect('vscode', '--url', url, '--write');
  assert.equal(created.code, 0, created.stderr);
  const file = join(home, 'xdg/Code/User/mcp.json');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const { inputs, servers } = JSON.parse(read(file));
  assert.equal(inputs[0].id, 'toolbus-key');
  assert.equal(servers.toolbus.headers.Authorization, 'Bearer ${input:toolbus-key}');

  const target = put(join(home, 'dotfiles', 'mcp.json'), '{}');
  const link = join(home, 'link.json');
  symlinkSync(target, link);
  assert.equal((await connect('vscode', '--url', url, '--write', '--file', link)).code, 0);
  assert.ok(JSON.parse(read(target)).servers.toolbus);
});

test('connect - a key is written only when it is given', async () => {
  for (const client of ['claude-desktop', 'claude-code', 'cursor', 'vscode']) {
    const file = join(home, `${client}-key.json`);
    await connect(client, '--url', url, '--write', '--file', file);
    assert.doesNotMatch(read(file), /tb_given/);
    const { code, stdout } = await connect(client, '--url', url, '--write', '--file', file, '--key', 'tb_given');
    assert.equal(code, 0);
    assert.match(read(file), /tb_given/);
    assert.doesNotMatch(stdout, /tb_given/);
  }
  const minted = await connect('cursor', '--url', url, '--agent', 'ann');
  assert.match(minted.stdout, /key +tb_\S+[\s\S]*agents: \{ "ann": \{ keys: \["sha256:[0-9a-f]{64}"\]/);
});

test('connect - the entry of Claude Desktop starts, that of Claude Code connects, the endpoint is that of the running `up`', async () => {
  verifies('connect:clients');
  const data = ['--data-dir', join(toolbus.dir, 'data')];
  const key = toolbus.ready.key ?? '';
  const desktop = JSON.parse((await connect('claude-desktop', ...data, '--json')).stdout).entry;
  const keyFile = desktop.args[desktop.args.indexOf('--key-file') + 1];
  put(keyFile, `${key}\n`);
  const [v1] = stdioAgents;
  await using started = await v1!.open({ url: '', program: desktop.args });
  assert.match((await started.call('scripted__run', { id: 'desktop' })).text, /^desktop by/);

  const code = JSON.parse((await connect('claude-code', ...data, '--json')).stdout).entry;
  assert.equal(code.url, toolbus.ready.mcp);
  assert.equal(code.headers.Authorization.replace('${TOOLBUS_API_KEY}', key), `Bearer ${key}`);
  await using agent = await agents[0]!.open(
    code.url,
    code.headers.Authorization.replace(/^Bearer \$\{TOOLBUS_API_KEY\}$/, key),
  );
  assert.match((await agent.call('scripted__run', { id: 'code' })).text, /^code by/);
});

test('connect - unknown clients, missing endpoints and bad flags are told apart', async () => {
  const unknown = await connect('claude-dekstop', '--url', url);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /did you mean claude-desktop\?/);
  assert.equal((await connect('cursor')).code, 4, 'no `up` runs here');
  assert.equal((await connect('cursor', '--url', 'file:///etc')).code, 2);
  assert.equal((await connect('cursor', '--url', url, '--name', 'a b')).code, 2);
  assert.equal((await connect('cursor', '--url', url, '--scope', 'all')).code, 2);
  assert.equal((await connect('claude-desktop', '--url', url, '--scope', 'project')).code, 2);
});
