// mqtt-packet, beneath client and broker alike, keeps a buffer for each of the 65 536 packet numbers: 8 MB for nothing.
import mqttPacket from 'mqtt-packet'

/** Has packet numbers written when they are needed. To be called before the first packet. */
export function keepNoPacketNumbers(): void {
  const writer: typeof mqttPacket.writeToStream & { cacheNumbers?: boolean } =
    mqttPacket.writeToStream
  writer.cacheNumbers = false
}
