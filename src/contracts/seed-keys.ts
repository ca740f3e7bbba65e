// The original's Redis keys and fields, made of our metric values. Amounts are decimals there.
import type { MetricValue } from './metric-value.ts';

export interface SeedEntry {
  readonly key: string;
  readonly fields: Readonly<Record<string, string | number | null>>;
}

const major = (minor: number | null | undefined): number | null => (minor == null ? null : minor / 100);

/**
 * What the original would have stored for this window, or null where it had no such key or the window holds
 * nothing of it. Only the shop's main currency is shown there: the original knew one.
 */
export function seedEntry(value: MetricValue, mainCurrency: string): SeedEntry | null {
  const { group, values } = value;
  const timestamp = new Date(value.window_end).toISOString();
  if (group['currency'] !== undefined && group['currency'] !== mainCurrency) return null;
  if (value.metric === 'transactions' && values['completed_entered']) {
    return {
      key: 'metrics:transactions',
      fields: {
        timestamp,
        transaction_count: values['completed_entered'],
        total_revenue: major(values['completed_entered_minor']),
        avg_transaction_value: major(values['average_minor']),
        unique_customers: values['buyers'] ?? 0,
        max_transaction: major(values['max_minor']),
        min_transaction: major(values['min_minor']),
      },
    };
  }
  if (value.metric === 'behavior') {
    const type = String(group['interaction_type']);
    return {
      key: `metrics:behavior:${type}`,
      fields: { timestamp, event_type: type, event_count: values['count'] ?? 0 },
    };
  }
  if (value.metric === 'products_by_category' && values['sales']) {
    const category = String(group['category']);
    return {
      key: `metrics:products:${category}`,
      fields: {
        timestamp,
        category,
        product_sales: values['sales'],
        category_revenue: major(values['gross_minor']),
        avg_category_value: major(values['average_minor']),
        total_quantity: values['quantity'] ?? 0,
        unique_customers: values['buyers'] ?? 0,
        unique_products: values['products'] ?? 0,
      },
    };
  }
  return null;
}
