import { css, html, nothing } from 'lit'
import type { Group, RuleView } from '../../../protocol/policy.ts'
import type { Scene } from '../acting.ts'
import { shownName, shownSentence } from '../display-name.ts'
import type { I18n } from '../i18n.ts'
import type { Order } from '../orders.ts'
import { leftText, termText, wayBack, whatText, whomText } from '../rule-text.ts'
import { agentWords, orderButton, orderFault } from './order-control.ts'

/** Of lists of rules. */
export const ruleStyles = css`
  .rules > li {
    display: grid;
    grid-template-columns: minmax(0, 1fr) auto;
    gap: 3px 12px;
    padding: 10px 16px;
    border-top: 1px solid var(--hs-line);
  }
  .rules .line {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 3px 8px;
    min-width: 0;
    overflow-wrap: anywhere;
  }
  .rules strong {
    font-weight: 600;
    min-width: 0;
  }
  .rules .under {
    grid-column: 1;
    font-size: 12.5px;
    color: var(--hs-muted);
    overflow-wrap: anywhere;
  }
  .rules .acts {
    grid-row: 1 / span 2;
    grid-column: 2;
    align-self: center;
    justify-content: flex-end;
  }
  .rules :is(.fault, .note) {
    grid-column: 1 / -1;
  }
  @media (max-width: 560px) {
    .rules .under {
      grid-column: 1 / -1;
    }
    .rules .acts {
      grid-row: 1;
      align-self: start;
    }
  }
`

const LOOKS = { active: 'good', idle: '', failed: 'bad' } as const

/** Whether the kernel has a rule, in a word. */
export function ruleStateText({ state, schedule }: RuleView, i18n: I18n): string {
  return i18n.t(state === 'idle' && schedule !== undefined ? 'rule_scheduled' : `rule_${state}`)
}

/** The order that takes a rule away. */
export function removal(rule: RuleView): Order {
  return {
    key: `rule:${rule.id}`,
    verb: wayBack(rule),
    args: { rule: rule.id },
    isSeen: ({ policy }) => policy.rules?.every(({ id }) => id !== rule.id) ?? false,
  }
}

/** The order that keeps a rule which would be rolled back. */
export function confirmation(rule: RuleView): Order {
  return {
    key: `confirm:${rule.id}`,
    verb: 'confirm',
    args: { rule: rule.id },
    isSeen: ({ policy }) =>
      policy.rules?.every((one) => one.id !== rule.id || one.confirm_until_ms === undefined) ??
      false,
  }
}

/** The order that keeps members of a group that would have to leave it again. */
export function groupConfirmation({ id }: Group): Order {
  return {
    key: `confirm:group:${id}`,
    verb: 'confirm',
    args: { group: id },
    isSeen: ({ policy }) =>
      policy.groups?.every((one) => one.id !== id || one.confirm_until_ms === undefined) ?? false,
  }
}

/** One rule: what, whom, until when, who and why, and whether the kernel has it. Within `<ul class="rules">`. */
export function ruleRow(scene: Scene, rule: RuleView, isWhomKnown = false) {
  const { i18n, state, nowMs, mayAct } = scene
  const term = termText(rule, i18n, nowMs)
  const what = whatText(rule, i18n)
  const whom = whomText(rule.subject, state, i18n)
  const isRisky = rule.confirm_until_ms !== undefined
  const remove = removal(rule)
  const confirm = confirmation(rule)
  return html`
    <li>
      <p class="line">
        <strong>${isWhomKnown ? what : html`<bdi>${whom}</bdi> · ${what}`}</strong>
        <span class="pill ${LOOKS[rule.state]}">${ruleStateText(rule, i18n)}</span>
        ${
          isRisky
            ? html`<span class="pill warn" role="timer">${i18n.t('confirm_left', {
                left: leftText(rule.confirm_until_ms ?? 0, nowMs, i18n),
              })}</span>`
            : nothing
        }
      </p>
      <p class="under">
        ${term === undefined ? i18n.t('term_always') : term} · ${byText(scene, rule)}
        ${
          rule.dropped_packets
            ? html` · ${i18n.count('dropped_packets', rule.dropped_packets)}`
            : nothing
        }
        ${isWhomKnown && !('device_id' in rule.subject) ? html` · <bdi>${whom}</bdi>` : nothing}
        ${rule.reason === '' ? nothing : html`<br />“<bdi>${shownSentence(rule.reason)}</bdi>”`}
        ${rule.state_reason ? html`<br />${agentWords(rule.state_reason, i18n)}` : nothing}
      </p>
      ${
        mayAct
          ? html`
              <div class="acts">
                ${isRisky ? orderButton(scene, confirm, i18n.t('confirm'), { look: 'slight primary' }) : nothing}
                ${orderButton(scene, remove, i18n.t('take_away'), {
                  look: 'slight',
                  label: i18n.t('take_away_which', { what, whom }),
                })}
              </div>
            `
          : nothing
      }
      ${orderFault(scene, remove.key)} ${orderFault(scene, confirm.key)}
    </li>
  `
}

function byText({ i18n, nowMs }: Scene, { actor, created_ms }: RuleView): string {
  const kind = i18n.t(`actor_${actor.kind}`)
  const name = actor.name === undefined ? '' : ` (${shownName(actor.name).text})`
  return `${kind}${name}, ${i18n.ago(nowMs - created_ms)}`
}
