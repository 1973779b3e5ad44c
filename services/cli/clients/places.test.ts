import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clients } from './all.ts';
import type { ClientName, Scope } from './client.ts';

const at = (
  platform: NodeJS.Platform,
  env: Record<string, string>,
  home = platform === 'win32' ? 'C:\\Users\\ann' : '/home/ann',
) => {
  const cwd = platform === 'win32' ? 'C:\\work' : '/shop';
  return (client: ClientName, scope: Scope) => clients[client].file(scope, { platform, env, cwd, home });
};

test('places - each client’s file on each system', () => {
  const linux = at('linux', {});
  assert.equal(linux('claude-desktop', 'user'), '/home/ann/.config/Claude/claude_desktop_config.json');
  assert.equal(linux('claude-desktop', 'project'), undefined);
  assert.equal(linux('claude-code', 'project'), '/shop/.mcp.json');
  assert.equal(linux('claude-code', 'user'), '/home/ann/.claude.json');
  assert.equal(linux('cursor', 'user'), '/home/ann/.cursor/mcp.json');
  assert.equal(linux('cursor', 'project'), '/shop/.cursor/mcp.json');
  assert.equal(linux('vscode', 'user'), '/home/ann/.config/Code/User/mcp.json');
  assert.equal(linux('vscode', 'project'), '/shop/.vscode/mcp.json');

  const mac = at('darwin', { HOME: '/Users/ann', XDG_CONFIG_HOME: '/ignored' });
  const support = '/Users/ann/Library/Application Support';
  assert.equal(mac('claude-desktop', 'user'), `${support}/Claude/claude_desktop_config.json`);
  assert.equal(mac('vscode', 'user'), `${support}/Code/User/mcp.json`);

  const windows = at('win32', { APPDATA: 'D:\\Roaming' });
  assert.equal(windows('claude-desktop', 'user'), 'D:\\Roaming\\Claude\\claude_desktop_config.json');
  assert.equal(windows('cursor', 'user'), 'C:\\Users\\ann\\.cursor\\mcp.json');
  assert.equal(at('win32', {})('vscode', 'user'), 'C:\\Users\\ann\\AppData\\Roaming\\Code\\User\\mcp.json');
});

test('places - variables of the user go first, a relative XDG_CONFIG_HOME is ignored', () => {
  const env = { HOME: '/elsewhere', XDG_CONFIG_HOME: '/xdg', CLAUDE_CONFIG_DIR: '/claude' };
  assert.equal(at('linux', env)('claude-desktop', 'user'), '/xdg/Claude/claude_desktop_config.json');
  assert.equal(at('linux', env)('claude-code', 'user'), '/claude/.claude.json');
  assert.equal(at('linux', env)('cursor', 'user'), '/elsewhere/.cursor/mcp.json');
  assert.equal(at('linux', { XDG_CONFIG_HOME: 'relative' })('vscode', 'user'), '/home/ann/.config/Code/User/mcp.json');
});
