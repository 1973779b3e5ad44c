import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '../../../shared/errors.ts';
import { claudeCode } from './claude-code.ts';
import type { EntryFacts } from './client.ts';
import { mergeEntry } from './merge.ts';
import { vscode } from './vscode.ts';

const facts: EntryFacts = {
  url: 'http://127.0.0.1:8080/mcp',
  name: 'toolbus',
  key: undefined,
  stdio: ['node', 'toolbus.js', 'stdio'],
  keyFile: '/home/ann/.config/toolbus/toolbus.key',
};
const merge = (text: string, more: Partial<EntryFacts> = {}) =>
  mergeEntry('mcp.json', text, claudeCode.entry({ ...facts, ...more }), undefined);

test('merge - an empty file becomes one with the entry', () => {
  for (const text of ['', '\n', '{}', '{\n}\n']) {
    assert.deepEqual(JSON.parse(merge(text)), {
      mcpServers: {
        toolbus: {
          type: 'http',
          url: 'http://127.0.0.1:8080/mcp',
          headers: { Authorization: 'Bearer ${TOOLBUS_API_KEY}' },
        },
      },
    });
  }
});

test('merge - every other line of a file with comments stays as it is, and twice is once', () => {
  const text = `{
  // what I use at work
  "mcpServers": {
    "github": { "command": "npx", "args": ["-y", "x@1"], "odd": [1,2,   3] }, /* keep */
  },
  "theme": "dark", // and this
}
`;
  const once = merge(text);
  for (const line of text.split('\n')) assert.ok(once.includes(line.trimEnd()) || line.includes('/* keep */'), line);
  assert.match(once, /\/\* keep \*\//);
  assert.match(once, /"toolbus": \{/);
  assert.equal(merge(once), once);
});

test('merge - an entry of that name keeps what it has besides; a command becomes a URL', () => {
  const text = JSON.stringify(
    {
      mcpServers: {
        toolbus: {
          command: 'npx',
          args: ['old'],
          disabled: false,
          alwaysAllow: ['x'],
          env: { MINE: '1' },
          headers: { 'X-Team': 'a' },
        },
      },
    },
    undefined,
    2,
  );
  assert.deepEqual(JSON.parse(merge(text)).mcpServers.toolbus, {
    disabled: false,
    alwaysAllow: ['x'],
    env: { MINE: '1' },
    headers: { 'X-Team': 'a', Authorization: 'Bearer ${TOOLBUS_API_KEY}' },
    type: 'http',
    url: 'http://127.0.0.1:8080/mcp',
  });
});

test('merge - line ends and indentation are those of the file', () => {
  const windows = merge('{\r\n\t"mcpServers": {\r\n\t\t"a": {}\r\n\t}\r\n}\r\n');
  assert.ok(!/[^\r]\n/.test(windows), 'only CRLF');
  assert.match(windows, /\r\n\t\t"toolbus": \{\r\n\t\t\t"type"/);
});

test('merge - the input of VS Code is added once', () => {
  const text = '{\n  "inputs": [\n    { "id": "other", "type": "promptString" } // mine\n  ]\n}\n';
  const once = mergeEntry('mcp.json', text, vscode.entry(facts), vscode.input?.(facts));
  assert.match(once, /\/\/ mine/);
  assert.equal(mergeEntry('mcp.json', once, vscode.entry(facts), vscode.input?.(facts)), once);
  const { inputs, servers } = JSON.parse(once.replace('// mine', ''));
  assert.deepEqual(
    inputs.map(({ id }: { id: string }) => id),
    ['other', 'toolbus-key'],
  );
  assert.equal(servers.toolbus.headers.Authorization, 'Bearer ${input:toolbus-key}');
});

test('merge - a file that cannot be changed safely is refused with its place', () => {
  const cases: [string, RegExp][] = [
    ['{\n  "mcpServers": {\n    "a": }\n}', /^mcp\.json:3:10: this is not valid JSON/],
    ['{ "mcpServers": { }', /^mcp\.json:1:\d+: this is not valid JSON/],
    ['[]', /^mcp\.json:1:1: this should be an object/],
    ['{\n "mcpServers": []}', /^mcp\.json:2:16: this should be an object/],
    ['{"mcpServers":{},\n"mcpServers":{}}', /^mcp\.json:2:1: the key mcpServers stands twice/],
  ];
  for (const [text, message] of cases) {
    assert.throws(
      () => merge(text),
      (error) => error instanceof OperatorError && error.code === 2 && message.test(error.message),
      text,
    );
  }
});
