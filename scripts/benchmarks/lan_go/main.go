// The LAN of row "lan" made with the netlink library that most Go programs use, as a program that
// cares for speed would do it: sockets stay open, indexes are given where the library takes them,
// and links are born with everything that the library can put into their creation.
//
// It reads one JSON request per line and answers each with the milliseconds that the work took.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

type request struct {
	Do  string // "netns": only the LAN's namespace; "lan": everything; "lan1": with one queue a veth
	Lan lan
}

type lan struct {
	Path, Mark  string
	Mtu         int
	ForwardMask uint16
	Ageing      int // seconds
	Bridge      struct {
		Name, Address, Alias string
		Index                int
	}
	Vxlan struct {
		Name, Address, Alias, Group             string
		Vni, Port, HopLimit, Mtu, UnderlayIndex int
	}
	Spokes []spoke
}

type spoke struct {
	Name, Address, Alias           string // host end, and the macvtap's alias
	Port, PortAddress, PortAlias   string
	Target, Ifname                 string
	Index, Mtu, OwnerUid, OwnerGid int
}

type answer struct {
	Ms    float64 `json:"ms"`
	Error string  `json:"error,omitempty"`
}

func main() {
	runtime.LockOSThread() // namespaces belong to threads
	host, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		panic(err)
	}
	home, err := netns.Get()
	if err != nil {
		panic(err)
	}
	b := builder{host: host, home: home}
	out := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			panic(err)
		}
		started := time.Now()
		err := b.build(r)
		a := answer{Ms: float64(time.Since(started).Nanoseconds()) / 1e6}
		if err != nil {
			a.Error = err.Error()
		}
		if err := out.Encode(a); err != nil {
			panic(err)
		}
	}
}

type builder struct {
	host *netlink.Handle
	home netns.NsHandle
}

func (b builder) build(r request) error {
	l := r.Lan
	inside, handle, err := b.createNetns(l)
	if err != nil {
		return fmt.Errorf("namespace: %w", err)
	}
	defer inside.Close()
	defer handle.Close()
	if r.Do == "netns" {
		return nil
	}
	queues := 0 // the kernel's choice, which few programs change
	if r.Do == "lan1" {
		queues = 1
	}
	if err := b.createTrunk(l, inside, handle); err != nil {
		return fmt.Errorf("bridge and VXLAN: %w", err)
	}
	for _, s := range l.Spokes {
		if err := b.attach(l, s, queues, inside, handle); err != nil {
			return fmt.Errorf("spoke %s: %w", s.Name, err)
		}
	}
	return nil
}

// createNetns makes the namespace, with IPv6 off for links to come, and binds it to its path.
func (b builder) createNetns(l lan) (netns.NsHandle, *netlink.Handle, error) {
	if err := os.WriteFile(l.Path, []byte(l.Mark), 0o600); err != nil {
		return 0, nil, err
	}
	inside, err := netns.New()
	if err != nil {
		return 0, nil, err
	}
	defer netns.Set(b.home)
	for _, name := range []string{"default", "all"} {
		if err := setLinkSysctl("ipv6", name, "disable_ipv6"); err != nil {
			return 0, nil, err
		}
	}
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return 0, nil, err
	}
	lo := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "lo", Index: 1}}
	if err := handle.LinkSetAlias(lo, l.Mark); err != nil {
		return 0, nil, err
	}
	if err := handle.LinkSetUp(lo); err != nil {
		return 0, nil, err
	}
	if err := unix.Mount("/proc/thread-self/ns/net", l.Path, "", unix.MS_BIND, ""); err != nil {
		return 0, nil, err
	}
	return inside, handle, b.host.SetNetNsIdByFd(int(inside), -1)
}

func (b builder) createTrunk(l lan, inside netns.NsHandle, handle *netlink.Handle) error {
	off, ageing := false, uint32(l.Ageing*100)
	bridge := &netlink.Bridge{
		LinkAttrs:         attrs(l.Bridge.Name, l.Bridge.Index, l.Mtu, l.Bridge.Address),
		MulticastSnooping: &off,
		AgeingTime:        &ageing,
	}
	bridge.Flags = net.FlagUp
	if err := handle.LinkAdd(bridge); err != nil {
		return err
	}
	if err := handle.LinkSetAlias(bridge, l.Bridge.Alias); err != nil {
		return err
	}
	vxlan := &netlink.Vxlan{
		LinkAttrs:    attrs(l.Vxlan.Name, 0, l.Vxlan.Mtu, l.Vxlan.Address),
		VxlanId:      l.Vxlan.Vni,
		Group:        net.ParseIP(l.Vxlan.Group),
		Port:         l.Vxlan.Port,
		TTL:          l.Vxlan.HopLimit,
		VtepDevIndex: l.Vxlan.UnderlayIndex,
		Learning:     true,
		Age:          l.Ageing,
	}
	vxlan.Flags = net.FlagUp
	vxlan.Namespace = netlink.NsFd(inside)
	if err := b.host.LinkAdd(vxlan); err != nil {
		return err
	}
	return joinBridge(l, handle, l.Vxlan.Name, l.Vxlan.Alias, false)
}

func (b builder) attach(l lan, s spoke, queues int, inside netns.NsHandle, handle *netlink.Handle) error {
	target, err := netns.GetFromPath(s.Target)
	if err != nil {
		return err
	}
	defer target.Close()
	veth := &netlink.Veth{
		LinkAttrs:        attrs(s.Name, s.Index, s.Mtu, s.Address),
		PeerName:         s.Port,
		PeerHardwareAddr: mac(s.PortAddress),
		PeerNamespace:    netlink.NsFd(inside),
		PeerTxQLen:       -1,
	}
	veth.NumTxQueues, veth.NumRxQueues = queues, queues // the library gives the peer the same
	if err := b.host.LinkAdd(veth); err != nil {
		return err
	}
	if err := b.host.LinkSetARPOff(veth); err != nil {
		return err
	}
	if err := b.host.LinkSetAlias(veth, s.Alias); err != nil {
		return err
	}
	if err := setLinkSysctl("ipv6", s.Name, "disable_ipv6"); err != nil {
		return err
	}
	if err := setLinkSysctl("ipv4", s.Name, "rp_filter"); err != nil {
		return err
	}
	if err := b.host.LinkSetUp(veth); err != nil {
		return err
	}
	macvtap := &netlink.Macvtap{Macvlan: netlink.Macvlan{
		LinkAttrs: attrs(s.Ifname, s.Index, 0, ""),
		Mode:      netlink.MACVLAN_MODE_PASSTHRU,
	}}
	macvtap.ParentIndex = s.Index
	macvtap.Namespace = netlink.NsFd(target)
	if err := b.host.LinkAdd(macvtap); err != nil {
		return err
	}
	if err := b.finishMacvtap(macvtap, s, target); err != nil {
		return err
	}
	return joinBridge(l, handle, s.Port, s.PortAlias, true)
}

func (b builder) finishMacvtap(link netlink.Link, s spoke, target netns.NsHandle) error {
	if err := netns.Set(target); err != nil {
		return err
	}
	defer netns.Set(b.home)
	if err := setLinkSysctl("ipv6", s.Ifname, "disable_ipv6"); err != nil {
		return err
	}
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer handle.Close()
	if err := handle.LinkSetAlias(link, s.Alias); err != nil {
		return err
	}
	if err := handle.LinkSetUp(link); err != nil {
		return err
	}
	// A link that is down would not pass this on to the link below it.
	if err := handle.LinkSetAllmulticastOn(link); err != nil {
		return err
	}
	tap := fmt.Sprintf("/dev/tap%d", s.Index)
	if err := os.Chmod(tap, 0o600); err != nil {
		return err
	}
	return os.Chown(tap, s.OwnerUid, s.OwnerGid)
}

// joinBridge makes a link that was made from outside a port. Its index is not known yet.
func joinBridge(l lan, handle *netlink.Handle, name, alias string, up bool) error {
	port, err := handle.LinkByName(name)
	if err != nil {
		return err
	}
	if err := handle.LinkSetMasterByIndex(port, l.Bridge.Index); err != nil {
		return err
	}
	if err := handle.LinkSetBRSlaveGroupFwdMask(port, l.ForwardMask); err != nil {
		return err
	}
	if up {
		if err := handle.LinkSetUp(port); err != nil {
			return err
		}
	}
	return handle.LinkSetAlias(port, alias)
}

func attrs(name string, index, mtu int, address string) netlink.LinkAttrs {
	a := netlink.NewLinkAttrs()
	a.Name, a.Index, a.MTU, a.HardwareAddr = name, index, mtu, mac(address)
	return a
}

func mac(text string) net.HardwareAddr {
	address, _ := net.ParseMAC(text) // nil, hence left to the kernel, for an empty one
	return address
}

func setLinkSysctl(family, link, key string) error {
	return os.WriteFile("/proc/sys/net/"+family+"/conf/"+link+"/"+key, []byte("1\n"), 0)
}
