// Fields that the dialogs of orders share. Loaded by homespin-agent.html; runs in Node-RED's editor.

/**
 * Makes typed inputs of #node-input-<key> for each key of `fields`: its types, the first as default. The type is stored in
 * #node-input-<key>Type.
 */
window.homespinTyped = (fields) => {
  for (const [key, types] of Object.entries(fields)) {
    $(`#node-input-${key}`).typedInput({
      default: typeof types[0] === 'string' ? types[0] : types[0].value,
      types,
      typeField: $(`#node-input-${key}Type`),
    })
  }
}

/** Picks the only agent that there is in #node-input-agent, unless one is picked: it is the one that is meant. */
window.homespinOnlyAgent = () => {
  const select = $('#node-input-agent')
  const agents = select.children('option').filter(function () {
    return this.value !== '' && this.value !== '_ADD_'
  })
  if (agents.length === 1 && select.val() === '_ADD_') select.val(agents.val()).trigger('change')
  return select
}

/** Where a value may be taken from, besides being typed. */
window.homespinSources = ['msg', 'flow', 'global', 'env', 'jsonata']

/**
 * The rows that say about whom an order is: #node-input-who shows that of a device or of a group. Devices are proposed by
 * name from the agent that #node-input-agent picks; `heard` is told what the agent said. Names come from the network: they
 * are only ever set as text.
 */
window.homespinWho = (heard) => {
  const t = (key) =>
    RED._(`@homespin/node-red-homespin/homespin-agent:homespin-agent.picker.${key}`)
  let devices = []
  const moreOf = (device) => [device.vendor, device.ip, device.mac].filter(Boolean).join(' · ')
  const matches = (text) => {
    const wanted = text.trim().toLowerCase()
    return devices.filter((device) =>
      `${device.name} ${device.id} ${moreOf(device)}`.toLowerCase().includes(wanted),
    )
  }
  const proposals = (text) =>
    matches(text)
      .slice(0, 50)
      .map((device) => ({
        value: device.id,
        label: $('<div class="homespin-proposal">').append(
          $('<span class="homespin-name">').text(device.name),
          $('<span class="homespin-more">').text(moreOf(device)),
        ),
      }))
  const device = $('#node-input-device')
  const typed = { value: 'str', label: t('device'), icon: 'fa fa-laptop' }
  window.homespinTyped({
    device: [{ ...typed, autoComplete: (text) => proposals(text) }, ...window.homespinSources],
    group: ['str', ...window.homespinSources],
  })
  // Who picks from the list sees an id: the name stands below it.
  const hint = $('#homespin-device-hint')
  const showHint = () => {
    const text = String(device.typedInput('value')).trim().toLowerCase()
    const isTyped = device.typedInput('type') === 'str'
    const id = text.replace(/[:.-]/g, '')
    const found = devices.find((each) => each.id === id || each.name.toLowerCase() === text)
    const known = found ? [found.name, moreOf(found)].join(' · ') : t('unknown')
    hint.text(isTyped && text !== '' ? known : isTyped ? t('propose') : '')
  }
  device.on('change', showHint)
  const load = () => {
    const agent = $('#node-input-agent').val()
    if (!agent || agent === '_ADD_') return
    $.getJSON(`homespin/agents/${encodeURIComponent(agent)}/devices`).done((listing) => {
      devices = listing.devices
      showHint()
      if (heard) heard(listing)
    })
  }
  const select = window.homespinOnlyAgent()
  select.on('change', load)
  const showRows = () => {
    const who = $('#node-input-who').val()
    $('.homespin-row-device').toggle(who === 'device')
    $('.homespin-row-group').toggle(who === 'group')
  }
  $('#node-input-who').on('change', showRows)
  showRows()
  load()
}
