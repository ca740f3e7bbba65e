import { session, signOut } from '../session.ts';
import {
  address,
  chosenTheme,
  formats,
  language,
  setAddress,
  type Theme,
  texts,
  theme,
} from '../settings.ts';
import { held, model, now, paintedAt, paused, state, togglePause } from '../state.ts';
import { Choices } from './choices.tsx';

function Connection() {
  const t = texts.value;
  const is = state.value;
  const committedAt = model.value?.newestCommittedAt ?? null;
  const age = committedAt === null ? t.noEvent : t.lastEvent(formats.value.age(now.value - committedAt));
  return (
    <div class="connection" data-state={is}>
      <span class="dot" aria-hidden="true" />
      <strong role="status" title={t.stateHelp[is]}>
        {t.state[is]}
      </strong>
      <span class="age">{is === 'paused' ? t.asOf(formats.value.clock(paintedAt.value)) : age}</span>
    </div>
  );
}

const RAYS = 'M12 4V2m0 20v-2m8-8h2M2 12h2m13.7-5.7 1.4-1.4M4.9 19.1l1.4-1.4m11.4 0 1.4 1.4M4.9 4.9l1.4 1.4';
const SUN = `${RAYS}M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0Z`;
const MOON = 'M20 14.5A8 8 0 0 1 9.5 4a8 8 0 1 0 10.5 10.5Z';

export function ThemeButton() {
  const t = texts.value;
  const dark = theme.value === 'dark';
  const label = dark ? t.light : t.dark;
  const other: Theme = dark ? 'light' : 'dark';
  return (
    <button
      type="button"
      class="control icon"
      aria-label={label}
      title={chosenTheme.value === undefined ? `${label} (${t.systemTheme})` : label}
      onClick={() => setAddress({ theme: other })}
    >
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path d={dark ? SUN : MOON} />
      </svg>
    </button>
  );
}

function PauseButton() {
  const t = texts.value;
  const count = held.value;
  return (
    <button
      type="button"
      class="control pause"
      title={t.spaceKey}
      aria-keyshortcuts="Space"
      onClick={togglePause}
    >
      {paused.value ? t.resume : t.pause}
      {paused.value && count > 0 && (
        <span class="held">
          <span aria-hidden="true">{formats.value.count(count)}</span>
          <span class="sr">{t.held(count)}</span>
        </span>
      )}
    </button>
  );
}

/** The whole screen where the browser lets us; Escape leaves both. */
function KioskButton() {
  const t = texts.value;
  const isKiosk = address.value.view === 'kiosk';
  const toggle = (): void => {
    setAddress({ view: isKiosk ? 'page' : 'kiosk' });
    if (isKiosk) void document.exitFullscreen?.().catch(() => {});
    else void document.documentElement.requestFullscreen?.().catch(() => {});
  };
  return (
    <button type="button" class="control" title={t.kioskHelp} aria-pressed={isKiosk} onClick={toggle}>
      {t.kiosk}
    </button>
  );
}

export function LanguageButton() {
  const t = texts.value;
  const other = language.value === 'en' ? 'es' : 'en';
  return (
    <button
      type="button"
      class="control"
      lang={other}
      aria-label={`${other.toUpperCase()}: ${t.otherLanguage}`}
      title={t.otherLanguage}
      onClick={() => setAddress({ lang: other })}
    >
      {other.toUpperCase()}
    </button>
  );
}

const DOOR = 'M10 4H6a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h4m5-4 4-4-4-4m4 4H10';

/** Who has signed in, and the way out. */
function SignOut() {
  const t = texts.value;
  const { name } = session.value;
  if (name === null) return null;
  const label = t.signOut(name);
  return (
    <>
      <span class="who">{name}</span>
      <button
        type="button"
        class="control icon"
        aria-label={label}
        title={label}
        onClick={() => void signOut()}
      >
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path d={DOOR} />
        </svg>
      </button>
    </>
  );
}

export function Brand() {
  const profile = model.value?.profile;
  return (
    <div class="brand">
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="7" />
        <path d="M8 23v-6M14 23V9M20 23v-9M26 23v-4" />
      </svg>
      <h1>
        InstaShop <span>{language.value === 'en' ? 'Live' : 'en vivo'}</span>
      </h1>
      {profile !== undefined && (
        <span class="badge" title={texts.value.profile(profile)}>
          {profile}
        </span>
      )}
    </div>
  );
}

export function Header() {
  const t = texts.value;
  const { view } = address.value;
  return (
    <header>
      <Brand />
      <Connection />
      {view !== 'embed' && (
        <div class="controls">
          <PauseButton />
          <KioskButton />
          <LanguageButton />
          <ThemeButton />
          <SignOut />
        </div>
      )}
      {state.value !== 'live' && <p class="strip">{t.stateHelp[state.value]}</p>}
      {view === 'page' && <Choices />}
    </header>
  );
}
