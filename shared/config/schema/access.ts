import { z } from 'zod';
import { addresses } from './fields.ts';

export const access = z
  .strictObject({
    allowIps: addresses.describe('Addresses or ranges that may connect at all; empty is any'),
    trustedProxies: addresses.describe('Proxies whose X-Forwarded-For is believed'),
    allowedHosts: z.array(z.string()).default([]).describe('Values of Host that are served, besides loopback names'),
    allowedOrigins: z.array(z.string()).default([]).describe('Values of Origin that are served, besides none'),
  })
  .prefault({})
  .describe('Who may connect at all');
