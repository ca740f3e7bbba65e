import { HOURS, MONTHS, WEEKDAYS } from './figures.ts';

const HOUR_MS = 3_600_000;
const mean = (weights: readonly number[]) =>
  weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
const HOUR_MEAN = mean(HOURS);
const WEEKDAY_MEAN = mean(WEEKDAYS);

/**
 * How busy the shop is at an instant (UTC), 1 being the week's mean: hour of day (moving evenly from one full hour to
 * the next) x day of week x season.
 */
export function busyness(atMs: number): number {
  const hours = atMs / HOUR_MS;
  const hour = Math.floor(hours) % 24;
  const part = hours - Math.floor(hours);
  const ofHour = HOURS[hour]! * (1 - part) + HOURS[(hour + 1) % 24]! * part;
  const date = new Date(atMs);
  return (ofHour / HOUR_MEAN) * (WEEKDAYS[date.getUTCDay()]! / WEEKDAY_MEAN) * MONTHS[date.getUTCMonth()]!;
}
