package testkit

import "fmt"

// BusConfig configures a dbus-daemon with a socket of its own, on which everybody may do
// everything.
func BusConfig(socket string) string { return fmt.Sprintf(busConfig, socket) }

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
 <type>custom</type>
 <limit name="max_connections_per_user">64</limit><listen>unix:path=%s</listen>
 <auth>EXTERNAL</auth>
 <policy context="default">
  <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
 </policy>
</busconfig>`
