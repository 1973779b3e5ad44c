import type { FastifyReply } from 'fastify';
import { rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { rpcErrorBody } from './answers.ts';

export const nothingHere = 'nothing is here';

/** Answers a request that no edge has read: a JSON-RPC error without id under an HTTP status. */
export function sendError(
  reply: FastifyReply,
  status: number,
  message: string,
  code: number = rpcCode.invalidRequest,
): void {
  reply.code(status).header('content-type', 'application/json').send(rpcErrorBody(null, { code, message }));
}

/** The message in an answer that `sendError` made. */
export function messageIn(payload: unknown): string {
  return typeof payload === 'string' ? (/"message":"((?:[^"\\]|\\.)*)"/.exec(payload)?.[1] ?? '') : '';
}

/** What the agent is told of a status that Fastify or a body gave rise to. */
export function describeStatus(status: number): string {
  if (status === 413) return 'the body is larger than limits.bodyBytes';
  if (status === 415) return 'Content-Type must be application/json';
  return 'bad request';
}
