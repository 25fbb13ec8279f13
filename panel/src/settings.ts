// What this browser remembers. Storage may be forbidden: then nothing is remembered, and nothing breaks.
import type { Language } from './i18n.ts'
import { LANGUAGES } from './i18n.ts'

export const THEMES = ['auto', 'light', 'dark'] as const

export type Theme = (typeof THEMES)[number]

const THEME = 'homespin-theme'
const LANGUAGE = 'homespin-language'
const TOKEN = 'homespin-token'

/** What the reader chose. */
export interface Settings {
  theme: Theme
  language: Language | 'auto'
}

/** The settings of this browser. */
export function loadSettings(): Settings {
  const theme = read('localStorage', THEME)
  const language = read('localStorage', LANGUAGE)
  return {
    theme: THEMES.find((known) => known === theme) ?? 'auto',
    language: LANGUAGES.find((known) => known === language) ?? 'auto',
  }
}

/** Remembers the settings in this browser. */
export function saveSettings({ theme, language }: Settings): void {
  write('localStorage', THEME, theme)
  write('localStorage', LANGUAGE, language)
}

/** The token of this tab. */
export function loadToken(): string | undefined {
  return read('sessionStorage', TOKEN)
}

/** Remembers the token until the tab is closed. */
export function saveToken(token: string): void {
  write('sessionStorage', TOKEN, token)
}

function read(storage: 'localStorage' | 'sessionStorage', key: string): string | undefined {
  try {
    return window[storage].getItem(key) ?? undefined
  } catch {
    return undefined
  }
}

function write(storage: 'localStorage' | 'sessionStorage', key: string, value: string): void {
  try {
    window[storage].setItem(key, value)
  } catch {
    // Private windows may refuse; the setting then lasts as long as the page.
  }
}
