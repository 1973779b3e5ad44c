import { type Client, type EntryFacts, settingOf } from './client.ts';
import { userDirectories } from './places.ts';
import { shellWord } from './shell-word.ts';

const headersOf = ({ key }: EntryFacts) => ({ Authorization: `Bearer ${key ?? '${TOOLBUS_API_KEY}'}` });

export const claudeCode: Client = {
  title: 'Claude Code',
  defaultScope: 'project',
  topKey: 'mcpServers',
  file(scope, surroundings) {
    const { home, join } = userDirectories(surroundings);
    if (scope === 'project') return join(surroundings.cwd, '.mcp.json');
    return join(surroundings.env['CLAUDE_CONFIG_DIR'] || home, '.claude.json');
  },
  entry: (facts) => settingOf('mcpServers', facts, { type: 'http', url: facts.url, headers: headersOf(facts) }),
  ways(facts) {
    const { Authorization } = headersOf(facts);
    const words = ['--transport', 'http', facts.name, facts.url, '--header', `Authorization: ${Authorization}`];
    return [{ title: 'or run', text: `claude mcp add --scope project ${words.map(shellWord).join(' ')}` }];
  },
  next: ({ key }) =>
    key === undefined
      ? ['set TOOLBUS_API_KEY in the environment of Claude Code']
      : ['the file holds the key: keep it out of git'],
};
