// The list of devices in the dialogs of the nodes. Loaded by homespin-agent.html; runs in Node-RED's editor.

/**
 * Fills #node-input-devices-box with the devices of the agent that #node-input-agent picks, and ticks those of `chosen`.
 * Returns a function that gives the ids ticked. Names come from the network: they are only ever set as text.
 */
window.homespinDevicePicker = (chosen) => {
  const ids = new Set(Array.isArray(chosen) ? chosen : [])
  const t = (key, options) =>
    RED._(`@homespin/node-red-homespin/homespin-agent:homespin-agent.picker.${key}`, options)
  const box = $('#node-input-devices-box').addClass('homespin-devices').empty()
  const search = $('<input type="text" class="homespin-search">')
    .attr('placeholder', t('search'))
    .appendTo(box)
  const list = $('<div class="homespin-devices-list">').appendTo(box)
  const hint = $('<div class="homespin-devices-hint">').appendTo(box)
  const hintText = $('<span>').appendTo(hint)
  const reload = $('<a href="#">')
    .append($('<i class="fa fa-refresh">'), ' ', $('<span>').text(t('reload')))
    .appendTo(hint)

  const row = (device) => {
    const more = [device.vendor, device.ip, device.mac].filter(Boolean).join(' · ')
    const tick = $('<input type="checkbox">').val(device.id).prop('checked', ids.has(device.id))
    tick.on('change', () => {
      if (tick.prop('checked')) ids.add(device.id)
      else ids.delete(device.id)
      count()
    })
    return $('<label>')
      .attr('title', `${device.name}\n${more}`)
      .append(
        tick,
        $('<span class="homespin-name">').text(device.name),
        $('<span class="homespin-more">').text(more),
      )
  }
  let trouble = ''
  const count = () => {
    hintText.text(trouble || (ids.size === 0 ? t('all') : t('chosen', { count: ids.size })))
  }
  const show = (devices) => {
    const known = new Set(devices.map((device) => device.id))
    const missing = Array.from(ids).filter((id) => !known.has(id))
    const rows = devices.concat(missing.map((id) => ({ id: id, name: id, vendor: t('unknown') })))
    list.empty().append(rows.map(row))
    count()
  }
  const load = () => {
    const agent = $('#node-input-agent').val()
    if (!agent || agent === '_ADD_') {
      trouble = t('deploy')
      show([])
      return
    }
    $.getJSON(`homespin/agents/${encodeURIComponent(agent)}/devices`)
      .done((listing) => {
        trouble = listing.devices.length > 0 ? '' : t('none')
        show(listing.devices)
      })
      .fail(() => {
        trouble = t('deploy')
        show([])
      })
  }
  search.on('input', () => {
    const wanted = String(search.val()).toLowerCase()
    list.children('label').each(function () {
      $(this).toggle($(this).attr('title').toLowerCase().includes(wanted))
    })
  })
  reload.on('click', (event) => {
    event.preventDefault()
    load()
  })
  const select = window.homespinOnlyAgent()
  select.on('change', load)
  load()
  return () => Array.from(ids)
}
