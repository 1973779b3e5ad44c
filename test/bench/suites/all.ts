import { calls } from './calls.ts';
import { hung } from './hung.ts';
import { lists } from './lists.ts';
import { payloads } from './payloads.ts';
import { sessions } from './sessions.ts';
import type { Suite } from './suite.ts';
import { workers } from './workers.ts';

export const suites: readonly Suite[] = [calls, payloads, lists, sessions, hung, workers];
