import type { ServerResponse } from 'node:http';
import { ShortLivedSet } from '../../../shared/short-lived.ts';

/** Makes the last answer on each connection say so. */
export interface ConnectionCloser {
  add(response: ServerResponse): void;
}

/**
 * Once `stopping` aborts, every answer that has not begun carries `Connection: close`, also those to requests that came before. An agent
 * that sends its next request on a connection which closes under it could not know whether that request was read.
 */
export function createConnectionCloser(stopping: AbortSignal): ConnectionCloser {
  const open = new ShortLivedSet<ServerResponse>();
  stopping.addEventListener('abort', () => {
    for (const response of open.values()) response.shouldKeepAlive = false;
  });
  return {
    add(response) {
      if (stopping.aborted) response.shouldKeepAlive = false;
      const membership = open.add(response);
      response.once('close', () => membership.remove());
    },
  };
}
