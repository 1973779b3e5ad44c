import { type Client, settingOf } from './client.ts';
import { userDirectories } from './places.ts';

/** Its file has no entries for URLs, and its connectors come from the network of Anthropic: so it starts `toolbus stdio`. */
export const claudeDesktop: Client = {
  title: 'Claude Desktop',
  defaultScope: 'user',
  topKey: 'mcpServers',
  file(scope, surroundings) {
    if (scope === 'project') return undefined;
    const { settings, join } = userDirectories(surroundings);
    return join(settings, 'Claude', 'claude_desktop_config.json');
  },
  entry(facts) {
    const [command = 'toolbus', ...args] = facts.stdio;
    return settingOf('mcpServers', facts, {
      command,
      args: [...args, '--url', facts.url, ...(facts.key === undefined ? ['--key-file', facts.keyFile] : [])],
      ...(facts.key !== undefined && { env: { TOOLBUS_API_KEY: facts.key } }),
    });
  },
  ways: () => [],
  next: ({ key, keyFile }) => [
    ...(key === undefined
      ? [`put the API key into ${keyFile}, readable by you alone (its file has no variables)`]
      : []),
    'restart Claude Desktop',
  ],
};
