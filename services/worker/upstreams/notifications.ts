import { type Call, type CallNotification, type LogLevel, logLevels } from '../../../shared/mcp/call.ts';
import type { JsonObject, JsonValue } from '../../../shared/mcp/json.ts';
import type { JsonRpcNotification } from '../../../shared/mcp/json-rpc.ts';
import { isModernRevision } from '../../../shared/mcp/revisions.ts';
import type { ListKind } from './session.ts';

/** The list a `list_changed` notification speaks of. */
export function changedList(method: string): ListKind | undefined {
  switch (method) {
    case 'notifications/tools/list_changed':
      return 'tools';
    case 'notifications/prompts/list_changed':
      return 'prompts';
    case 'notifications/resources/list_changed':
      return 'resources';
    default:
      return undefined;
  }
}

/** Notifications that concern the connection and never a call. */
const ofConnection = new Set([
  'notifications/cancelled',
  'notifications/initialized',
  'notifications/resources/updated',
  'notifications/roots/list_changed',
  'notifications/subscriptions/acknowledged',
  // Tasks of 2025-11-25 and of today's extension, which has a subscription of its own for them.
  'notifications/tasks/status',
  'notifications/tasks',
]);

/** The notification as the agent of this call may have it; undefined where it may not. */
export function forCall(notification: JsonRpcNotification, call: Call): CallNotification | undefined {
  const { method, params = {} } = notification;
  if (method === 'notifications/message') {
    return isLoudEnough(params['level'], call.agent.logLevel) ? { method, params } : undefined;
  }
  // 2026-07-28 has no such notification, nor the id that it names.
  if (method === 'notifications/elicitation/complete' && isModernRevision(call.agent.protocolVersion)) return undefined;
  if (ofConnection.has(method) || changedList(method) !== undefined) return undefined;
  return { method, params };
}

/** A progress notification without the token, which is ours. */
export function progressFor(params: JsonObject): CallNotification {
  const { progressToken: _ours, ...rest } = params;
  return { method: 'notifications/progress', params: rest };
}

// 2026-07-28, server/utilities/logging: without a level in the request there are no messages.
function isLoudEnough(level: JsonValue | undefined, wanted: LogLevel | undefined): boolean {
  if (wanted === undefined) return false;
  const severity = (logLevels as readonly (JsonValue | undefined)[]).indexOf(level);
  return severity >= logLevels.indexOf(wanted);
}
