import type { LiveAlert } from '../../../../contracts/alerts.ts';
import { alerts } from '../alerts.ts';
import { formats, texts } from '../settings.ts';
import { model } from '../state.ts';

const MONEY = new Set<LiveAlert['figure']>(['revenue']);

function useNumber({ figure }: LiveAlert): (value: number) => string {
  const f = formats.value;
  const code = model.value?.mainCurrency ?? 'USD';
  if (figure === 'failed_percent') return (value) => f.percent(value / 100);
  return (value) => (MONEY.has(figure) ? f.money(value * 100, code) : f.count(value));
}

function Alert({ alert }: { alert: LiveAlert }) {
  const t = texts.value;
  const f = formats.value;
  const code = model.value?.mainCurrency ?? 'USD';
  const number = useNumber(alert);
  const { rule, figure, minutes, kind, value, bound, since, until, explained } = alert;
  return (
    <li data-alert={rule}>
      <strong>{rule}</strong>{' '}
      {t.alertValue(t.alertFigures[figure], number(value), minutes, t.alertBounds[kind](number(bound)))}
      {explained !== null &&
        ` ${t.alertExplained(explained.category, f.money(explained.change * 100, code))}`}{' '}
      <span class="note">
        {until === null
          ? t.alertSince(f.clockShort(since))
          : `${f.clockShort(since)} – ${f.clockShort(until)}`}
      </span>
    </li>
  );
}

/** What the rules found, above everything else; what they found before, on request. */
export function Alerts() {
  const t = texts.value;
  const said = alerts.value;
  if (said === null || (said.active.length === 0 && said.recent.length === 0)) return null;
  const isActive = said.active.length > 0;
  return (
    <section class="alerts" data-active={isActive} aria-labelledby="alerts-title">
      <h2 id="alerts-title">{isActive ? t.alerts(said.active.length) : t.noAlert}</h2>
      <div role="status">
        {isActive && (
          <ul>
            {said.active.map((alert) => (
              <Alert key={alert.rule} alert={alert} />
            ))}
          </ul>
        )}
      </div>
      {said.recent.length > 0 && (
        <details>
          <summary>{t.alertsBefore(said.recent.length)}</summary>
          <ul>
            {said.recent.map((alert) => (
              <Alert key={`${alert.rule}/${alert.since}`} alert={alert} />
            ))}
          </ul>
        </details>
      )}
      {said.webhook !== null && said.webhook.failed > 0 && (
        <p class="note">{t.webhookFailed(said.webhook.failed, said.webhook.last_error ?? '')}</p>
      )}
    </section>
  );
}
