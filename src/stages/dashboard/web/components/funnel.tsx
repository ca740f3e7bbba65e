import type { LivePeople, LivePeopleFigures, LivePeopleMoney } from '../../../../contracts/people.ts';
import { knownBefore } from '../people.ts';
import { formats, texts } from '../settings.ts';
import type { Sheet } from '../sheet.ts';
import { currency } from '../state.ts';
import { Change } from './change.tsx';
import { Info } from './info.tsx';
import { SheetView } from './sheet-view.tsx';

/** Of one currency; all zero where nobody had any. */
export const moneyIn = ({ money }: LivePeopleFigures, code: string): Omit<LivePeopleMoney, 'currency'> =>
  money.find((one) => one.currency === code) ?? {
    cart_minor: 0,
    checkout_minor: 0,
    bought_minor: 0,
    bought_of_checked_out_minor: 0,
    abandoned: 0,
    abandoned_minor: 0,
  };

interface Step {
  readonly id: 'viewed' | 'carted' | 'checked_out' | 'bought' | 'direct';
  readonly sessions: number;
  /** Sessions that had done the step before too, and all that had. */
  readonly ofBefore: number;
  readonly before: number;
  /** Null where there is no money in it. */
  readonly minor: number | null;
}

function stepsOf(figures: LivePeopleFigures, code: string): readonly Step[] {
  const money = moneyIn(figures, code);
  const { sessions, viewed, carted, checked_out, bought } = figures;
  const { carted_of_viewed, checked_out_of_carted, bought_of_checked_out } = figures;
  const step = (id: Step['id'], count: number, ofBefore: number, before: number, minor: Step['minor']) => ({
    ...{ id, sessions: count, ofBefore, before, minor },
  });
  return [
    step('viewed', viewed, viewed, sessions, null),
    step('carted', carted, carted_of_viewed, viewed, money.cart_minor),
    step('checked_out', checked_out, checked_out_of_carted, carted, money.checkout_minor),
    step(
      'bought',
      bought_of_checked_out,
      bought_of_checked_out,
      checked_out,
      money.bought_of_checked_out_minor,
    ),
    // Not a step: many buy without any, and would dwarf those who take them.
    step(
      'direct',
      bought - bought_of_checked_out,
      0,
      sessions,
      money.bought_minor - money.bought_of_checked_out_minor,
    ),
  ];
}

function sheetOf(read: LivePeople, code: string): Sheet {
  const t = texts.value;
  const earlier = knownBefore(read);
  const others = earlier === null ? [] : stepsOf(earlier, code);
  return {
    id: 'funnel',
    title: t.funnel,
    currency: code,
    columns: [
      { name: 'step', label: null, kind: 'text' },
      { name: 'name', label: t.step, kind: 'text' },
      { name: 'sessions', label: t.sessions, kind: 'count' },
      { name: 'with_step_before', label: t.withStepBefore, kind: 'count' },
      { name: 'amount', label: t.amount, kind: 'money' },
      { name: 'sessions_before', label: t.sessionsBefore, kind: 'count' },
      { name: 'amount_before', label: t.amountBefore, kind: 'money' },
      { name: 'from', label: null, kind: 'time' },
      { name: 'to', label: null, kind: 'time' },
    ],
    rows: () =>
      stepsOf(read.period, code).map(({ id, sessions, ofBefore, minor }, index) => [
        ...[id, t.funnelSteps[id], sessions, ofBefore, minor],
        ...[others[index]?.sessions ?? null, others[index]?.minor ?? null, read.period.from, read.period.to],
      ]),
  };
}

/** From looking to buying: sessions that did each step, how many came from the one before, and the money in it. */
export function Funnel({ read, than }: { read: LivePeople; than: string | null }) {
  const t = texts.value;
  const f = formats.value;
  const code = currency.value;
  const { period } = read;
  const earlier = than === null ? null : knownBefore(read);
  const others = earlier === null ? null : stepsOf(earlier, code);
  const steps = stepsOf(period, code);
  const highest = Math.max(1, ...steps.map(({ id, sessions }) => (id === 'direct' ? 0 : sessions)));
  const isMixed = period.money.some((money) => money.currency === 'mixed');
  return (
    <div class="funnel">
      <h3>
        {t.funnel} <Info of="funnel" name={t.funnel} />
      </h3>
      <ol>
        {steps.map(({ id, sessions, ofBefore, before, minor }, index) => (
          <li key={id} data-step={id}>
            <span class="name">{t.funnelSteps[id]}</span>
            <span class="value">
              {minor !== null && <span class="beside">{f.money(minor, code)}</span>}
              {f.count(sessions)}
            </span>
            {id !== 'direct' && (
              <span class="track" aria-hidden="true">
                <span class="fill" style={{ transform: `scaleX(${sessions / highest})` }} />
              </span>
            )}
            <span class="note">
              {before === 0
                ? t.noneBefore
                : t.ofBefore[id](f.percent((id === 'direct' ? sessions : ofBefore) / before))}
              {(id === 'carted' || id === 'checked_out') &&
                sessions > ofBefore &&
                `; ${t.others[id](f.count(sessions - ofBefore))}`}
            </span>
            {others !== null && <Change of={[sessions, others[index]!.sessions]} than={than!} />}
          </li>
        ))}
      </ol>
      {than !== null && others === null && <p class="note">{t.notComparable(null)}</p>}
      {period.sessionless_sales > 0 && (
        <p class="note warn">{t.sessionless(f.count(period.sessionless_sales))}</p>
      )}
      {isMixed && <p class="note">{t.mixedMoney}</p>}
      <SheetView sheet={sheetOf(read, code)} />
    </div>
  );
}
