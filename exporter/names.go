package exporter

// The names of all metrics, DESIGN section 7. Dashboards, alert rules and
// tests are held against this list.
const (
	nameBuildInfo = "camcensus_build_info"
	nameSiteInfo  = "camcensus_site_info"

	nameDevices                 = "camcensus_devices"
	nameUnclassifiedHosts       = "camcensus_unclassified_hosts"
	nameUnassessedChannels      = "camcensus_unassessed_channels"
	nameRecorderChannelsUnknown = "camcensus_recorders_channels_unknown"
	nameFlaggedDevices          = "camcensus_flagged_devices"
	nameVerdicts                = "camcensus_verdicts"

	nameDeviceInfo          = "camcensus_device_info"
	nameDeviceFlagged       = "camcensus_device_flagged"
	nameDeviceFirstSeen     = "camcensus_device_first_seen_timestamp_seconds"
	nameDeviceLastSeen      = "camcensus_device_last_seen_timestamp_seconds"
	nameDeviceReturned      = "camcensus_device_returned_timestamp_seconds"
	nameExceptionExpiry     = "camcensus_exception_expiry_timestamp_seconds"
	nameDeviceSeriesDropped = "camcensus_device_series_dropped"

	nameNetworkAddresses = "camcensus_network_addresses"
	nameNetworkUp        = "camcensus_network_up"
	nameNetworkLastSweep = "camcensus_network_last_sweep_timestamp_seconds"
	nameInterfaceUp      = "camcensus_interface_up"
	nameCaptureDropped   = "camcensus_capture_packets_dropped_total"

	nameSourceUp           = "camcensus_source_up"
	nameSourceLastSighting = "camcensus_source_last_sighting_timestamp_seconds"
	nameSourceSightings    = "camcensus_source_sightings_total"
	nameSourceSent         = "camcensus_source_packets_sent_total"
	nameSourceRejected     = "camcensus_source_packets_rejected_total"

	nameProbes        = "camcensus_probes_total"
	nameProbeFailures = "camcensus_probe_failures_total"

	nameCycleDuration       = "camcensus_cycle_duration_seconds"
	nameCycleLastCompletion = "camcensus_cycle_last_completion_timestamp_seconds"
	nameCycleNextStart      = "camcensus_cycle_next_start_timestamp_seconds"

	nameEvents     = "camcensus_events_total"
	namePolicyInfo = "camcensus_policy_info"
	namePaused     = "camcensus_paused"

	nameRegistryDate = "camcensus_oui_registry_timestamp_seconds"

	nameInventoryCreated  = "camcensus_inventory_created_timestamp_seconds"
	nameAuditChainEvents  = "camcensus_audit_chain_events"
	nameAuditChainHead    = "camcensus_audit_chain_head"
	nameStorageErrors     = "camcensus_storage_errors_total"
	nameStorageLastCommit = "camcensus_storage_last_commit_timestamp_seconds"

	nameConfigReloadOK   = "camcensus_config_last_reload_successful"
	nameConfigReloadTime = "camcensus_config_last_reload_success_timestamp_seconds"
)

// definition is a metric's help and labels.
type definition struct {
	name   string
	help   string
	labels []string
}

// definitions are all metrics of camcensus, in the order of DESIGN section 7.
var definitions = []definition{
	{nameBuildInfo, "What was built; always 1.", []string{"version", "revision", "branch", "goversion"}},
	{nameSiteInfo, "The site this agent serves; always 1.", []string{"site"}},
	{nameDevices, "Devices in the inventory.", []string{"class", "manufacturer", "state"}},
	{nameUnclassifiedHosts, "Present and missing hosts that nothing suggests to be a camera and nothing identifies; in no verdict total.", nil},
	{nameUnassessedChannels, "Channels that recorders declare less the cameras seen at a recorder's own address: at most so many cameras nobody could look at.", nil},
	{nameRecorderChannelsUnknown, "Recorders that do not say how many channels they have.", nil},
	{nameFlaggedDevices, "Devices with the verdict banned or suspected under a policy.", []string{"policy", "manufacturer", "verdict", "state", "excepted"}},
	{nameVerdicts, "Present and missing devices by verdict.", []string{"policy", "verdict", "class"}},
	{nameDeviceInfo, "What a device is; always 1, one series per device. For joins in texts, not for alert conditions.",
		[]string{"device", "ip", "mac", "class", "manufacturer", "brand", "model", "location"}},
	{nameDeviceFlagged, "1 while a flagged device is present or missing.", []string{"device", "policy", "verdict", "excepted", "state"}},
	{nameDeviceFirstSeen, "When the device was first sighted.", []string{"device"}},
	{nameDeviceLastSeen, "When the device was last sighted.", []string{"device"}},
	{nameDeviceReturned, "When the device was sighted again after its removal.", []string{"device"}},
	{nameExceptionExpiry, "When the exception for the device expires.", []string{"policy", "device"}},
	{nameDeviceSeriesDropped, "Devices without series of their own because metrics.max_device_series was reached.", nil},
	{nameNetworkAddresses, "Addresses of the network's last finished sweep by result.", []string{"network", "result"}},
	{nameNetworkUp, "1 when the network has a link and a sweep of it finished within two intervals.", []string{"network"}},
	{nameNetworkLastSweep, "When the last sweep of the network finished; 0 when none has.", []string{"network"}},
	{nameInterfaceUp, "1 when the interface is up.", []string{"interface"}},
	{nameSourceUp, "1 when the source can work on the interface.", []string{"source", "interface"}},
	{nameSourceLastSighting, "When the source last had a sighting.", []string{"source", "interface"}},
	{nameSourceSightings, "Sightings of the source.", []string{"source", "interface"}},
	{nameSourceSent, "Packets that the source sent.", []string{"source", "interface"}},
	{nameSourceRejected, "Packets that scope, exclusions or budget kept back.", []string{"source", "interface", "reason"}},
	{nameProbes, "Questions put to single hosts.", []string{"probe"}},
	{nameProbeFailures, "Questions without a usable answer.", []string{"probe", "reason"}},
	{nameCycleDuration, "How long finished cycles took.", nil},
	{nameCycleLastCompletion, "When the last cycle finished.", nil},
	{nameCycleNextStart, "When the next cycle is due.", nil},
	{nameCaptureDropped, "Frames that the kernel dropped before the capture read them.", []string{"interface"}},
	{nameEvents, "Events of the inventory.", []string{"event"}},
	{namePolicyInfo, "An active policy; always 1.", []string{"policy", "version"}},
	{nameRegistryDate, "The day of the IEEE registry that hardware addresses are looked up in.", nil},
	{namePaused, "1 when nothing is sent for that reason.", []string{"reason"}},
	{nameInventoryCreated, "When the store was made.", nil},
	{nameAuditChainEvents, "Events in the audit chain.", nil},
	{nameAuditChainHead, "First 12 hexadecimal digits of the audit chain's head, as a number.", nil},
	{nameStorageErrors, "Failed reads and writes of the store.", nil},
	{nameStorageLastCommit, "When the store last committed.", nil},
	{nameConfigReloadOK, "1 when the last reload of the config succeeded.", nil},
	{nameConfigReloadTime, "When the config was last loaded successfully.", nil},
}

// MetricNames lists the names of all metrics, so that dashboards and alert
// rules can be held against them.
func MetricNames() []string {
	all := make([]string, len(definitions))
	for i, d := range definitions {
		all[i] = d.name
	}
	return all
}
