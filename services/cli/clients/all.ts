import { claudeCode } from './claude-code.ts';
import { claudeDesktop } from './claude-desktop.ts';
import type { Client, ClientName } from './client.ts';
import { cursor } from './cursor.ts';
import { vscode } from './vscode.ts';

export const clients: Readonly<Record<ClientName, Client>> = {
  'claude-desktop': claudeDesktop,
  'claude-code': claudeCode,
  cursor,
  vscode,
};
