import type { JsonObject } from '../../../shared/mcp/json.ts';
import { type Client, type EntryFacts, settingOf } from './client.ts';
import { userDirectories } from './places.ts';
import { shellWord } from './shell-word.ts';

const inputId = ({ name }: EntryFacts) => `${name}-key`;
const entryOf = (facts: EntryFacts): JsonObject => ({
  type: 'http',
  url: facts.url,
  headers: { Authorization: `Bearer ${facts.key ?? `\${input:${inputId(facts)}}`}` },
});
const inputOf = (facts: EntryFacts): JsonObject => ({
  type: 'promptString',
  id: inputId(facts),
  description: `API key of ${facts.name}`,
  password: true,
});

export const vscode: Client = {
  title: 'VS Code',
  defaultScope: 'user',
  topKey: 'servers',
  file(scope, surroundings) {
    const { settings, join } = userDirectories(surroundings);
    if (scope === 'project') return join(surroundings.cwd, '.vscode', 'mcp.json');
    return join(settings, 'Code', 'User', 'mcp.json');
  },
  entry: (facts) => settingOf('servers', facts, entryOf(facts)),
  input: (facts) => ({ path: ['inputs'], id: inputId(facts), value: inputOf(facts) }),
  ways(facts) {
    const inputs = facts.key === undefined ? { inputs: [inputOf(facts)] } : {};
    const definition = JSON.stringify({ name: facts.name, ...entryOf(facts), ...inputs });
    return [
      { title: 'or run', text: `code --add-mcp ${shellWord(definition)}` },
      { title: 'or open', text: `vscode:mcp/install?${encodeURIComponent(definition)}` },
    ];
  },
  next: ({ key }) =>
    key === undefined ? ['VS Code asks for the key when it first connects, and keeps it encrypted'] : [],
};
