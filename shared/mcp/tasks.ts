import type { AgentContext } from './call.ts';
import { isJsonObject, type JsonObject } from './json.ts';
import { isModernRevision } from './revisions.ts';

/** The extension of 2026-07-28 (ext-tasks). The tasks of 2025-11-25 are another protocol. */
export const tasksExtension = 'io.modelcontextprotocol/tasks';

/** What −32021 names where the extension is lacking. */
export const tasksRequired: JsonObject = { extensions: { [tasksExtension]: {} } };

/** True where these capabilities of 2026-07-28, of either side, declare the extension. */
export function hasTasks({ extensions }: JsonObject): boolean {
  return isJsonObject(extensions) && isJsonObject(extensions[tasksExtension]);
}

/** True for an agent that can take a task for an answer. */
export function takesTasks({ protocolVersion, capabilities }: AgentContext): boolean {
  return isModernRevision(protocolVersion) && hasTasks(capabilities);
}

/** True for a status that a task never leaves. */
export function isTaskOver(status: unknown): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}
