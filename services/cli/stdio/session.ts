import type { OutgoingHttpHeaders } from 'node:http';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import { mcpHeader } from '../../../shared/mcp/mcp-headers.ts';
import { type GatewayResponse, Lost } from './gateway.ts';
import { readServerMessages } from './message.ts';
import { maxMessageBytes, readAnswer, readText } from './read-answer.ts';

/** A session at the gateway. */
export interface Session {
  /** Absent where the server keeps none. */
  readonly id: string | undefined;
  /** The revision that was agreed on. */
  readonly version: string | undefined;
  /** Lists whose changes the server tells: `tools`, `prompts`, `resources`. */
  readonly announces: readonly string[];
}

/** The gateway answered `initialize` with an HTTP error. */
export class SessionRefused extends Error {
  override readonly name = 'SessionRefused';
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`HTTP ${status}`);
    this.status = status;
    this.body = body;
  }
}

const lists = ['tools', 'prompts', 'resources'] as const;

/** Sends an `initialize`; `answer` is the response for the client. Throws SessionRefused. */
export async function openSession(
  opening: Buffer,
  post: (body: Buffer, own: undefined) => Promise<GatewayResponse>,
): Promise<{ session: Session; answer: string }> {
  const response = await post(opening, undefined);
  if (response.status >= 300) throw new SessionRefused(response.status, await readText(response, maxMessageBytes));
  let answer: string | undefined;
  let result: JsonObject = {};
  await readAnswer(response, {
    onMessage(text) {
      const [message] = readServerMessages(text) ?? [];
      if (message === undefined || message.method !== undefined) return;
      answer = text;
      if (isJsonObject(message.value['result'])) result = message.value['result'];
    },
    onEventId: () => undefined,
    onRetry: () => undefined,
    drained: () => Promise.resolve(),
  });
  if (answer === undefined) throw new Lost('initialize was not answered');
  const id = response.headers[mcpHeader.sessionId];
  const { protocolVersion, capabilities } = result;
  const declared = isJsonObject(capabilities) ? capabilities : {};
  return {
    answer,
    session: {
      id: typeof id === 'string' ? id : undefined,
      version: typeof protocolVersion === 'string' ? protocolVersion : undefined,
      announces: lists.filter((list) => {
        const capability = declared[list];
        return isJsonObject(capability) && capability['listChanged'] === true;
      }),
    },
  };
}

/** Headers of a request in a session; none where there is no session yet. */
export function sessionHeaders(session: Session | undefined): OutgoingHttpHeaders {
  return {
    ...(session?.id !== undefined && { [mcpHeader.sessionId]: session.id }),
    ...(session?.version !== undefined && { [mcpHeader.protocolVersion]: session.version }),
  };
}
