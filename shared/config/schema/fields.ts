import { z } from 'zod';
import { isCidr } from '../network.ts';

/** Kinds of values that several sections use. Messages never repeat a value: it may have come from the environment. */

export const positive = z.int().positive();
export const pattern = z.string().min(1);

/** A rate like `100/s` or `600/m`; see `tokensPerSecond`. */
export const rate = z
  .string()
  .regex(/^(?=.*[1-9].*\/)\d{1,9}(\.\d{1,9})?\/(s|m|h)$/, 'must be a number above 0 per s, m or h, such as 100/s');

export const addresses = z
  .array(z.string().refine(isCidr, 'must be an IP address or a range such as 10.0.0.0/8'))
  .default([]);

export const limitFields = {
  rate: rate.optional().describe('Calls per second, minute or hour: 100/s, 600/m'),
  burst: positive
    .optional()
    .describe('Calls that may come at once before the rate counts; one second of the rate, and at least 1, without it'),
  concurrency: positive.optional().describe('Calls in flight at the same time'),
};

/** A burst is how full a bucket may get; without a rate nothing would ever fill it again. */
export const burstNeedsRate = {
  check: (given: { readonly rate?: string | undefined; readonly burst?: number | undefined }) =>
    given.burst === undefined || given.rate !== undefined,
  told: { path: ['burst'], error: 'means nothing without a rate' },
};

export const limits = z.strictObject(limitFields).refine(burstNeedsRate.check, burstNeedsRate.told);

/** Limits for each of several things of which nobody knows how many there are; local to an ingress. */
export const rateOnly = z
  .strictObject({ rate: limitFields.rate, burst: limitFields.burst })
  .refine(burstNeedsRate.check, burstNeedsRate.told);

export const serverName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/, 'a name is 1 to 40 of A-Z a-z 0-9 _ -, beginning with a letter or digit')
  .refine((name) => !name.includes('__'), 'a name may not hold "__", which separates server and tool');
