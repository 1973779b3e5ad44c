/** Where messages go that belong to one request and come before its answer. */
export interface Outlet {
  /** JSON text of one JSON-RPC message. Lost when the agent is gone. */
  send(message: string): void;
  /** True when nothing sent here can arrive any more. */
  readonly closed: boolean;
}
