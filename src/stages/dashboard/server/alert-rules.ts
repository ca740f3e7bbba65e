// Rules of the alerts, as an operator writes them: a JSON file, checked before anything starts.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ALERT_FIGURES } from '../../../contracts/alerts.ts';
import { UserError } from '../../../lib/errors.ts';

/** Figures that the warehouse has by the hour, so that earlier days can be asked. */
const HOURLY = ['sales', 'revenue', 'failed', 'refunded'] as const;
const RULES_MAX = 100;

const name = z.string().trim().min(1).max(80);
const minutes = z.int().min(1).max(60);

const threshold = z
  .strictObject({
    name,
    figure: z.enum(ALERT_FIGURES),
    minutes,
    above: z.number().optional(),
    below: z.number().optional(),
  })
  .refine(({ above, below }) => (above === undefined) !== (below === undefined), 'give above or below');

const deviation = z.strictObject({
  name,
  figure: z.enum(HOURLY),
  minutes,
  /** How far from the mean of the same hour on earlier days, in either direction. */
  deviates_percent: z.number().min(1).max(10_000),
  days: z.int().min(2).max(28).default(7),
  /** Where less is expected, chance decides: nothing is judged. */
  expected_min: z.number().min(1).default(20),
});

const rules = z
  .array(z.union([threshold, deviation]))
  .max(RULES_MAX)
  .refine((all) => new Set(all.map((one) => one.name)).size === all.length, 'two rules have one name');

export type ThresholdRule = z.output<typeof threshold>;
export type DeviationRule = z.output<typeof deviation>;
export type AlertRule = ThresholdRule | DeviationRule;

/** Without a file: sales far from what this hour brought on the last seven days. */
export const DEFAULT_RULES: readonly AlertRule[] = [
  {
    name: 'Unusual sales',
    figure: 'sales',
    minutes: 15,
    deviates_percent: 60,
    days: 7,
    expected_min: 20,
  },
];

/** The rules of a file. A UserError says which rule is wrong, and how. */
export function readAlertRules(file: string): readonly AlertRule[] {
  const remedy = 'docs/09-dashboard.md says how rules are written.';
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UserError(`the alert rules in ${file} cannot be read: ${(error as Error).message}`, remedy);
  }
  const parsed = rules.safeParse(json);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  const at = typeof path[0] === 'number' ? `rule ${path[0] + 1}` : 'the list';
  throw new UserError(`the alert rules in ${file} are wrong at ${at}: ${message}`, remedy);
}
