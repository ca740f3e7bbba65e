import { formats, texts } from '../settings.ts';
import { currency } from '../state.ts';
import type { View } from '../view.ts';
import { Panel, Rows } from './lists.tsx';

const STEPS = ['add_to_cart', 'remove_from_cart', 'checkout', 'cart_abandonment'] as const;

/** Cart steps as they were counted, with the carts' value at each; not people, and not one cart followed. */
export function Cart({ view, note }: { view: View; note: string }) {
  const t = texts.value;
  const f = formats.value;
  const steps = STEPS.map((step) => ({ step, ...(view.carts.get(step) ?? { count: 0, minor: 0 }) }));
  const highest = Math.max(1, ...steps.map(({ count }) => count));
  const isEmpty = steps.every(({ count }) => count === 0);
  return (
    <Panel
      id="carts"
      title={t.cart}
      info="carts"
      note={isEmpty ? t.nothing : note}
      sheet={{
        id: 'carts',
        title: t.cart,
        currency: currency.value,
        columns: [
          { name: 'step', label: null, kind: 'text' },
          { name: 'name', label: t.step, kind: 'text' },
          { name: 'events', label: t.events, kind: 'count' },
          { name: 'cart_value', label: t.cartValue, kind: 'money' },
        ],
        rows: () => steps.map(({ step, count, minor }) => [step, t.cartSteps[step], count, minor]),
      }}
    >
      {!isEmpty && (
        <Rows
          rows={steps.map(({ step, count, minor }) => ({
            key: step,
            name: t.cartSteps[step],
            value: f.count(count),
            beside: f.money(minor, currency.value),
            share: count / highest,
          }))}
        />
      )}
    </Panel>
  );
}
