import type { ServerResponse } from 'node:http';
import type { GatewayError } from '../../../../shared/errors.ts';
import { type RequestId, rpcCode } from '../../../../shared/mcp/json-rpc.ts';
import { gatewayErrorBody, gatewayErrorHeaders, rpcErrorBody, sendJson } from '../answers.ts';

/** Clients know an ended session by this code beside the 404; it comes from the SDK and lies in the range of the older revisions. */
const sessionNotFound = -32001;

/** Answers a POST, GET or DELETE that no request of the agent could be taken from. */
export function refuse(
  res: ServerResponse,
  status: number,
  message: string,
  code: number = rpcCode.invalidRequest,
  id: RequestId | null = null,
): void {
  sendJson(res, status, rpcErrorBody(id, { code, message }));
}

/** 404 is for the agent to open a new session (2025-11-25, basic/transports, "Session Management"). */
export function unknownSession(res: ServerResponse): void {
  refuse(res, 404, 'Session not found', sessionNotFound);
}

export function unknownEndpoint(res: ServerResponse): void {
  refuse(res, 404, 'No server or toolset of this name');
}

export function refuseGateway(res: ServerResponse, error: GatewayError, callId: string): void {
  sendJson(res, error.status, gatewayErrorBody(null, error, callId), gatewayErrorHeaders(error));
}
