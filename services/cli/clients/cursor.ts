import { type Client, type EntryFacts, settingOf } from './client.ts';
import { userDirectories } from './places.ts';

const entryOf = ({ url, key }: EntryFacts) => ({
  url,
  headers: { Authorization: `Bearer ${key ?? '${env:TOOLBUS_API_KEY}'}` },
});

export const cursor: Client = {
  title: 'Cursor',
  defaultScope: 'user',
  topKey: 'mcpServers',
  file(scope, surroundings) {
    const { home, join } = userDirectories(surroundings);
    return join(scope === 'project' ? surroundings.cwd : home, '.cursor', 'mcp.json');
  },
  entry: (facts) => settingOf('mcpServers', facts, entryOf(facts)),
  ways(facts) {
    const config = encodeURIComponent(Buffer.from(JSON.stringify(entryOf(facts))).toString('base64'));
    const link = `cursor://anysphere.cursor-deeplink/mcp/install?name=${encodeURIComponent(facts.name)}&config=${config}`;
    return [{ title: 'or open', text: link }];
  },
  next: ({ key }) => (key === undefined ? ['set TOOLBUS_API_KEY in the environment of Cursor'] : []),
};
