import { z } from 'zod';
import { burstNeedsRate, limitFields, positive, rateOnly } from './fields.ts';

export const limits = z
  .strictObject({
    ...limitFields,
    concurrency: positive.default(2000).describe('Calls in flight at the same time'),
    requests: rateOnly
      .prefault({})
      .describe(
        'HTTP requests of any kind (lists and pings too) of each agent at each ingress; of each address where auth.mode is none',
      ),
    unauthenticated: rateOnly
      .prefault({ rate: '10/s', burst: 200 })
      .describe('Requests without a valid credential, of each address (of each /64 in IPv6) at each ingress'),
    bodyBytes: positive.default(1_048_576).describe('Largest request body'),
    headerBytes: positive
      .min(1024)
      .max(1_048_576)
      .default(16_384)
      .describe('Largest request line and headers together; read at the start'),
    jsonDepth: positive.min(4).max(64).default(64).describe('Deepest nesting of a request body'),
    jsonKeys: positive.default(10_000).describe('Most members of all objects of a request body'),
    stringLength: positive
      .optional()
      .describe(
        'Longest string in a request body, in characters as JSON writes them; without it bodyBytes is the bound',
      ),
    connections: positive
      .default(20_000)
      .describe('Open connections of agents to one ingress; more are closed at once; read at the start'),
    requestsPerConnection: positive
      .default(100_000)
      .describe('Requests after which a connection is closed; read at the start'),
  })
  .refine(burstNeedsRate.check, burstNeedsRate.told)
  .prefault({})
  .describe('Limits over everything');
