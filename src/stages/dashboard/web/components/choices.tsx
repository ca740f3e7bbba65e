// What the page is about: how long a time, compared with what, whose sales.
import { useSignal } from '@preact/signals';
import { type Compare, HOUR_MS, PERIODS, type PeriodName, wholeHours } from '../address.ts';
import { ownMerchant } from '../session.ts';
import { address, chosenCurrency, setAddress, texts } from '../settings.ts';
import { currencies, currency, model, serverNow } from '../state.ts';

function choosePeriod(period: PeriodName): void {
  if (period !== 'custom') return setAddress({ period });
  const to = Math.ceil(serverNow() / HOUR_MS) * HOUR_MS;
  setAddress({ period, from: to - 48 * HOUR_MS, to });
}

function Periods() {
  const t = texts.value;
  return (
    <fieldset class="periods">
      <legend class="sr">{t.period}</legend>
      {(Object.keys(PERIODS) as PeriodName[]).map((name) => (
        <label key={name} class="control">
          <input
            type="radio"
            name="period"
            value={name}
            checked={address.value.period === name}
            onChange={() => choosePeriod(name)}
          />
          {t.periods[name]}
        </label>
      ))}
    </fieldset>
  );
}

/** As a datetime-local field takes it, in the reader's zone. */
function localText(ms: number): string {
  const date = new Date(ms);
  return new Date(ms - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function CustomPeriod() {
  const t = texts.value;
  const wrong = useSignal(false);
  const { from, to } = address.value;
  const change = (change: { from?: number; to?: number }): void => {
    const hours = wholeHours(change.from ?? from, change.to ?? to);
    wrong.value = hours === null;
    if (hours !== null) setAddress(hours);
  };
  const field = (name: 'from' | 'to', value: number) => (
    <label>
      <span>{t[name]}</span>
      <input
        type="datetime-local"
        class="control"
        step={3600}
        value={localText(value)}
        aria-invalid={wrong.value}
        onChange={(event) => change({ [name]: new Date(event.currentTarget.value).getTime() })}
      />
    </label>
  );
  return (
    <div class="custom">
      {field('from', from)}
      {field('to', to)}
      <span class={wrong.value ? 'note warn' : 'note'} role="status">
        {wrong.value ? t.wrongHours : t.wholeHours}
      </span>
    </div>
  );
}

function CompareChoice() {
  const t = texts.value;
  const { compare, period } = address.value;
  // The live windows reach two hours back.
  const hasWeekday = PERIODS[period] === null;
  return (
    <select
      class="control"
      aria-label={t.compare}
      value={compare === 'weekday' && !hasWeekday ? 'previous' : compare}
      onChange={(event) => setAddress({ compare: event.currentTarget.value as Compare })}
    >
      <option value="previous">{t.compares.previous}</option>
      <option value="weekday" disabled={!hasWeekday}>
        {hasWeekday ? t.compares.weekday : t.weekdayFrom}
      </option>
      <option value="none">{t.compares.none}</option>
    </select>
  );
}

function MerchantChoice() {
  const t = texts.value;
  const merchants = model.value?.rankings?.merchants ?? [];
  const { filter } = address.value;
  const chosen = filter?.by === 'merchant' ? filter.of : '';
  if (ownMerchant.value !== null) return <strong class="own-merchant">{filterName()}</strong>;
  if (merchants.length === 0 && chosen === '') return null;
  const isListed = merchants.some(({ customer_id }) => String(customer_id) === chosen);
  return (
    <select
      class="control merchant"
      aria-label={t.merchant}
      value={chosen}
      onChange={({ currentTarget: { value } }) =>
        setAddress({ filter: value === '' ? null : { by: 'merchant', of: value } })
      }
    >
      <option value="">{t.allMerchants}</option>
      {!isListed && chosen !== '' && <option value={chosen}>#{chosen}</option>}
      {merchants.map(({ customer_id, name }) => (
        <option key={customer_id} value={String(customer_id)}>
          {name}
        </option>
      ))}
    </select>
  );
}

function CurrencyChoice() {
  if (currencies.value.length < 2) return null;
  return (
    <select
      class="control"
      aria-label={texts.value.currency}
      value={currency.value}
      onChange={(event) => setAddress({ currency: event.currentTarget.value })}
    >
      {currencies.value.map((code) => (
        <option key={code} value={code}>
          {code}
        </option>
      ))}
    </select>
  );
}

/** What a filter is of, in words. */
export function filterName(): string {
  const { filter } = address.value;
  if (filter === null) return '';
  if (filter.by !== 'merchant') return filter.of;
  const merchants = model.value?.rankings?.merchants ?? [];
  return merchants.find(({ customer_id }) => String(customer_id) === filter.of)?.name ?? `#${filter.of}`;
}

function Chip(props: { label: string; value: string; remove: () => void }) {
  return (
    <li>
      <button
        type="button"
        class="chip"
        aria-label={texts.value.removeFilter(`${props.label}: ${props.value}`)}
        onClick={props.remove}
      >
        <span>{props.label}</span> {props.value} <span aria-hidden="true">×</span>
      </button>
    </li>
  );
}

function Chips() {
  const t = texts.value;
  const { filter } = address.value;
  const [main] = currencies.value;
  const isOtherCurrency = chosenCurrency.value !== undefined && main !== undefined && currency.value !== main;
  const isChosen = filter !== null && ownMerchant.value === null;
  if (!isChosen && !isOtherCurrency) return null;
  return (
    <ul class="chips" aria-label={t.filters}>
      {isChosen && (
        <Chip label={t.by[filter.by]} value={filterName()} remove={() => setAddress({ filter: null })} />
      )}
      {isOtherCurrency && (
        <Chip label={t.currency} value={currency.value} remove={() => setAddress({ currency: main })} />
      )}
    </ul>
  );
}

/** The second line of the header. */
export function Choices() {
  const t = texts.value;
  return (
    <nav class="choices" aria-label={t.choices}>
      <Periods />
      {address.value.period === 'custom' && <CustomPeriod />}
      <CompareChoice />
      <MerchantChoice />
      <CurrencyChoice />
      <Chips />
    </nav>
  );
}
