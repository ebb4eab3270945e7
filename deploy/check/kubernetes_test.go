package check

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const (
	canary = "deploy/kustomize/overlays/canary"
	before = "deploy/kustomize/example-shard"
)

// build is what `kustomize build` makes of a directory.
func build(t *testing.T, dir string) resmap.ResMap {
	t.Helper()
	kustomizer := krusty.MakeKustomizer(krusty.MakeDefaultOptions())
	built, err := kustomizer.Run(filesys.MakeFsOnDisk(), filepath.Join(root, dir))
	if err != nil {
		t.Fatal(err)
	}
	return built
}

// get decodes one of the resources that were built; an unknown field is an error.
func get[T any](t *testing.T, built resmap.ResMap, kind, name string) (object T) {
	t.Helper()
	for _, resource := range built.Resources() {
		if resource.GetKind() == kind && resource.GetName() == name {
			if err := yaml.UnmarshalStrict([]byte(resource.MustYaml()), &object); err != nil {
				t.Fatal(err)
			}
			return object
		}
	}
	t.Fatalf("no %s %s was built", kind, name)
	return object
}

// named is the one of a list that has the name.
func named[T any](t *testing.T, list []T, name string, of func(T) string) T {
	t.Helper()
	at := slices.IndexFunc(list, func(item T) bool { return of(item) == name })
	if at < 0 {
		t.Fatalf("there is no %s", name)
	}
	return list[at]
}

func containerName(c core.Container) string { return c.Name }

// shard0 is the pod that has the sidecar, the sidecar, and the shard's own container.
func shard0(t *testing.T) (pod core.PodSpec, sidecar, shard core.Container) {
	t.Helper()
	pod = get[apps.Deployment](t, build(t, canary), "Deployment", "shard-0").Spec.Template.Spec
	return pod, named(t, pod.InitContainers, "player-state", containerName), named(t, pod.Containers, "matchmaker", containerName)
}

func TestKubernetesTakesWhatIsBuilt(t *testing.T) {
	for _, dir := range []string{before, canary} {
		text, err := build(t, dir).AsYaml()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), filepath.Base(dir)+".yaml")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		tool(t, "kubernetes-validate", "--strict", "--kubernetes-version", "1.37", file)
	}
}

func TestOneShardHasTheSidecarAndTheOtherIsAsItWas(t *testing.T) {
	then, now := build(t, before), build(t, canary)
	if containers := get[apps.Deployment](t, then, "Deployment", "shard-0").Spec.Template.Spec.InitContainers; len(containers) > 0 {
		t.Fatalf("the stand-in has a sidecar by itself: %v", containers)
	}
	_, sidecar, _ := shard0(t)
	if sidecar.RestartPolicy == nil || *sidecar.RestartPolicy != core.ContainerRestartPolicyAlways {
		t.Error("without restartPolicy: Always it is an ordinary init container, for whose end the shard waits for ever")
	}
	was, is := get[apps.Deployment](t, then, "Deployment", "shard-1"), get[apps.Deployment](t, now, "Deployment", "shard-1")
	if a, b := mustYAML(t, was), mustYAML(t, is); a != b {
		t.Errorf("shard-1 was\n%s\nand is\n%s", a, b)
	}
}

func mustYAML(t *testing.T, object any) string {
	t.Helper()
	text, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The selector may not change, or the Deployment is refused; and what the shard's
// container had, it has still.
func TestTheShardKeepsWhatItHad(t *testing.T) {
	was := get[apps.Deployment](t, build(t, before), "Deployment", "shard-0").Spec
	is := get[apps.Deployment](t, build(t, canary), "Deployment", "shard-0").Spec
	if a, b := mustYAML(t, was.Selector), mustYAML(t, is.Selector); a != b {
		t.Errorf("the selector was %s and is %s", a, b)
	}
	old, shard := was.Template.Spec.Containers[0], is.Template.Spec.Containers[0]
	shard.Env, shard.VolumeMounts = old.Env, old.VolumeMounts
	if a, b := mustYAML(t, old), mustYAML(t, shard); a != b {
		t.Errorf("beside env and mounts, the shard's container was\n%s\nand is\n%s", a, b)
	}
}

// Both containers see one socket at one path, whoever their users are.
func TestBothContainersShareTheSocket(t *testing.T) {
	pod, sidecar, shard := shard0(t)
	listen, dial := env(t, sidecar, "PLAYERSTATE_LISTEN"), env(t, shard, "MATCHMAKER_SIDECAR")
	if listen != dial {
		t.Errorf("it listens on %s, and is called on %s", listen, dial)
	}
	dir := filepath.Dir(strings.TrimPrefix(listen, "unix:"))
	mount := func(container core.Container) core.VolumeMount {
		return named(t, container.VolumeMounts, dir, func(m core.VolumeMount) string { return m.MountPath })
	}
	if a, b := mount(sidecar), mount(shard); a.Name != b.Name || a.ReadOnly {
		t.Errorf("the sidecar mounts %v at %s, the shard %v", a, dir, b)
	}
	// The socket is 0660: the group is what lets the shard's user in.
	if pod.SecurityContext == nil || pod.SecurityContext.FSGroup == nil {
		t.Error("there is no fsGroup")
	}
	for _, c := range []core.Container{sidecar, shard} {
		for _, mount := range c.VolumeMounts {
			named(t, pod.Volumes, mount.Name, func(v core.Volume) string { return v.Name })
		}
	}
}

func env(t *testing.T, container core.Container, name string) string {
	t.Helper()
	return named(t, container.Env, name, func(e core.EnvVar) string { return e.Name }).Value
}

// A ConfigMap whose name has a hash starts the pod again at each change, and a file
// mounted by subPath never changes.
func TestThePercentageChangesWithoutARestart(t *testing.T) {
	pod, _, shard := shard0(t)
	file := env(t, shard, "MATCHMAKER_FLAG_FILE")
	mount := named(t, shard.VolumeMounts, filepath.Dir(file), func(m core.VolumeMount) string { return m.MountPath })
	if mount.SubPath != "" {
		t.Error("the flag is mounted by subPath")
	}
	volume := named(t, pod.Volumes, mount.Name, func(v core.Volume) string { return v.Name })
	if volume.ConfigMap == nil || volume.ConfigMap.Name != "player-state-flag" {
		t.Fatalf("the flag comes from %v", volume)
	}
	flag := get[core.ConfigMap](t, build(t, canary), "ConfigMap", "player-state-flag")
	if text := flag.Data[filepath.Base(file)]; text != read(t, "deploy/flags/player-state.flagd.json") {
		t.Errorf("the ConfigMap has %q at %s", text, filepath.Base(file))
	}
}

// The ledger has one process, and outlives the pod.
func TestTheLedgerIsHeldByOnePodAndKept(t *testing.T) {
	shard := get[apps.Deployment](t, build(t, canary), "Deployment", "shard-0").Spec
	if shard.Replicas == nil {
		t.Fatal("the number of pods is left to the default")
	}
	if *shard.Replicas != 1 || shard.Strategy.Type != apps.RecreateDeploymentStrategyType || shard.Strategy.RollingUpdate != nil {
		t.Errorf("%d pods, strategy %v", *shard.Replicas, shard.Strategy)
	}
	pod, _, container := shard0(t)
	dir := filepath.Dir(env(t, container, "MATCHMAKER_LEDGER"))
	mount := named(t, container.VolumeMounts, dir, func(m core.VolumeMount) string { return m.MountPath })
	volume := named(t, pod.Volumes, mount.Name, func(v core.Volume) string { return v.Name })
	if volume.PersistentVolumeClaim == nil {
		t.Fatalf("the ledger lies in %v", volume)
	}
	get[core.PersistentVolumeClaim](t, build(t, canary), "PersistentVolumeClaim", volume.PersistentVolumeClaim.ClaimName)
}

// What is wrong with a sidecar must not take its shard out of service, nor kill a
// process that is only busy.
func TestProbesAskTheSidecarAboutItselfAlone(t *testing.T) {
	_, sidecar, _ := shard0(t)
	startup, liveness := sidecar.StartupProbe, sidecar.LivenessProbe
	if startup == nil || startup.Exec == nil || !slices.Equal(startup.Exec.Command, []string{"player-state", "health"}) {
		t.Errorf("startup: %v", startup)
	}
	if liveness == nil || liveness.HTTPGet == nil || liveness.HTTPGet.Path != "/livez" {
		t.Fatalf("liveness: %v", liveness)
	}
	if sidecar.ReadinessProbe != nil {
		t.Error("a native sidecar's readiness is the pod's")
	}
	named(t, sidecar.Ports, liveness.HTTPGet.Port.StrVal, func(p core.ContainerPort) string { return p.Name })
	if _, port, _ := strings.Cut(env(t, sidecar, "PLAYERSTATE_ADMIN"), ":"); port != "9100" || sidecar.Ports[0].ContainerPort != 9100 {
		t.Errorf("the admin port is %s, and %d to others", port, sidecar.Ports[0].ContainerPort)
	}
}

// The level "restricted" of the pod security standards.
func TestTheSidecarMayDoNothingElse(t *testing.T) {
	_, sidecar, _ := shard0(t)
	security := sidecar.SecurityContext
	switch {
	case security == nil,
		security.RunAsNonRoot == nil || !*security.RunAsNonRoot,
		security.RunAsUser == nil || *security.RunAsUser == 0,
		security.AllowPrivilegeEscalation == nil || *security.AllowPrivilegeEscalation,
		security.ReadOnlyRootFilesystem == nil || !*security.ReadOnlyRootFilesystem,
		security.Privileged != nil && *security.Privileged,
		security.Capabilities == nil || !slices.Equal(security.Capabilities.Drop, []core.Capability{"ALL"}) || len(security.Capabilities.Add) > 0,
		security.SeccompProfile == nil || security.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault:
		t.Errorf("%s", mustYAML(t, security))
	}
	if sidecar.Resources.Limits.Memory().IsZero() || sidecar.Resources.Requests.Cpu().IsZero() {
		t.Errorf("no bound of memory, or no share of CPU: %s", mustYAML(t, sidecar.Resources))
	}
}

func TestTheImageIsThatOfThisVersion(t *testing.T) {
	_, sidecar, _ := shard0(t)
	version := strings.Trim(after(t, read(t, "Cargo.toml"), "version = "), `"`)
	if !strings.HasSuffix(sidecar.Image, ":"+version) {
		t.Errorf("the image is %s, the crate's version %s", sidecar.Image, version)
	}
}
