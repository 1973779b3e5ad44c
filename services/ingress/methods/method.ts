import type { Config } from '../../../shared/config/schema.ts';
import type { Sealer } from '../../../shared/seal.ts';
import type { Follow } from '../audit/trail.ts';
import type { Catalog, View } from '../catalog/catalog.ts';
import type { Limits } from '../limits/limits.ts';
import type { AgentReply, AgentRequest } from '../request.ts';
import type { Checks } from '../validation/checks.ts';
import type { Dispatch } from './dispatch.ts';

/** What the methods are built from. */
export interface MethodDeps {
  readonly catalog: Catalog;
  readonly dispatch: Dispatch;
  /** Records calls; absent: nothing is recorded. */
  readonly follow?: Follow | undefined;
  /** Absent: nothing is limited. */
  readonly limits?: Limits | undefined;
  /** Arguments and results against schemas and rules. Absent: nothing is checked. */
  readonly checks?: Pick<Checks, 'call' | 'result'> | undefined;
  /** For request states and task ids. */
  readonly sealer: Sealer;
  /** Tells a worker that nobody will answer the questions of a call it holds. Absent: its deadline ends it. */
  readonly abandon?: ((server: string, instance: string, park: string) => void) | undefined;
  /** The configuration in force now. */
  config(): Config;
  /** Epoch milliseconds; the clock of expiring states. */
  now(): number;
}

/** Answers one method. Throws GatewayError for errors of toolbus' own. */
export type Method = (request: AgentRequest, view: View, deps: MethodDeps) => AgentReply | Promise<AgentReply>;
