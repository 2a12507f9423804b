// Package operator marks every ConfigMap that asks for it with the number of its keys.
package operator

import (
	"context"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	asks  = "example.com/count-keys"
	count = "example.com/keys"
)

// Labeller reconciles ConfigMaps.
type Labeller struct{ client.Client }

func (l *Labeller) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var found corev1.ConfigMap
	if err := l.Get(ctx, request.NamespacedName, &found); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	want := strconv.Itoa(len(found.Data))
	if _, ok := found.Annotations[asks]; !ok || found.Annotations[count] == want {
		return ctrl.Result{}, nil
	}
	before := client.MergeFrom(found.DeepCopy())
	found.Annotations[count] = want
	return ctrl.Result{}, l.Patch(ctx, &found, before)
}

func (l *Labeller) SetupWithManager(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).For(&corev1.ConfigMap{}).Complete(l)
}
