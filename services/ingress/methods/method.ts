import type { Config } from '../../../shared/config/schema.ts';
import type { Sealer } from '../../../shared/seal.ts';
import type { Catalog, View } from '../catalog/catalog.ts';
import type { AgentReply, AgentRequest } from '../request.ts';
import type { Dispatch } from './dispatch.ts';

/** What the methods are built from. */
export interface MethodDeps {
  readonly catalog: Catalog;
  readonly dispatch: Dispatch;
  /** For request states and task ids. */
  readonly sealer: Sealer;
  /** The configuration in force now. */
  config(): Config;
  /** Epoch milliseconds; the clock of expiring states. */
  now(): number;
}

/** Answers one method. Throws GatewayError for errors of toolbus' own. */
export type Method = (request: AgentRequest, view: View, deps: MethodDeps) => AgentReply | Promise<AgentReply>;
